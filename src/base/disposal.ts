/**
 * `Symbol.asyncDispose`, also on engines that do not know it yet: there the method has a
 * registered symbol for a name, which does no harm.
 */
export const asyncDispose: typeof Symbol.asyncDispose =
  Symbol.asyncDispose ?? (Symbol.for('Symbol.asyncDispose') as typeof Symbol.asyncDispose)
