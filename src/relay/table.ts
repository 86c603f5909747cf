/** Rows as text for a terminal: columns as wide as their widest cell, numbers to the right. */

export interface Column<Row> {
  readonly title: string
  cell(row: Row): string | number | undefined
}

/** A title line, and one line for every row; for no row `empty` alone. Ends with a line break. */
export function table<Row>(columns: readonly Column<Row>[], rows: readonly Row[], empty: string): string {
  if (rows.length === 0) return `${empty}\n`
  const cells = rows.map((row) => columns.map((column) => column.cell(row)))
  const texts = [columns.map(({ title }) => title), ...cells.map((line) => line.map((cell) => shown(cell)))]
  const widths = columns.map((_, i) => Math.max(...texts.map((line) => line[i]!.length)))
  const isNumeric = columns.map((_, i) => cells.every((line) => typeof line[i] === 'number' || line[i] === undefined))
  return texts
    .map((line) => line.map((text, i) => (isNumeric[i] ? text.padStart(widths[i]!) : text.padEnd(widths[i]!))))
    .map((line) => `${line.join('  ').trimEnd()}\n`)
    .join('')
}

/** Rows in which some cell contains `text`, whatever the case. */
export function filtered<Row>(columns: readonly Column<Row>[], rows: readonly Row[], text: string): Row[] {
  const wanted = text.toLowerCase()
  return rows.filter((row) => columns.some((column) => shown(column.cell(row)).toLowerCase().includes(wanted)))
}

/** A duration in its two largest units: `3 s`, `5 min 2 s`, `2 h 0 min`, `4 d 7 h`. */
export function duration(ms: number): string {
  const seconds = Math.floor(ms / 1000)
  if (seconds < 60) return `${seconds} s`
  const minutes = Math.floor(seconds / 60)
  if (minutes < 60) return `${minutes} min ${seconds % 60} s`
  const hours = Math.floor(minutes / 60)
  if (hours < 24) return `${hours} h ${minutes % 60} min`
  return `${Math.floor(hours / 24)} d ${hours % 24} h`
}

/** One line of it: names and facts come from others, who must not move the cursor. */
function shown(cell: string | number | undefined): string {
  if (cell === undefined || cell === '') return '-'
  return String(cell).replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '?')
}
