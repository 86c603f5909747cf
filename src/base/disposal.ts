/**
 * `Symbol.asyncDispose` and `Symbol.dispose`, also on engines that do not know them yet: there the methods have a
 * registered symbol for a name, which does no harm.
 */
export const asyncDispose: typeof Symbol.asyncDispose =
  Symbol.asyncDispose ?? (Symbol.for('Symbol.asyncDispose') as typeof Symbol.asyncDispose)
export const dispose: typeof Symbol.dispose = Symbol.dispose ?? (Symbol.for('Symbol.dispose') as typeof Symbol.dispose)
