// Two small charts, readable on light and on dark ground.

const WIDTH = 640
const HEIGHT = 340
const PLOT = { left: 76, right: 616, top: 56, bottom: 282 }

/** @typedef {{ label: string, accent?: boolean, dashed?: boolean, points: readonly (readonly [x: number, y: number])[] }} Line */
/** @typedef {{ label: string, accent?: boolean, values: readonly number[] }} Bars */

/** Lines over numbers. @param {{ title: string, x: string, y: string, lines: readonly Line[] }} chart */
export function lineChart({ title, x, y, lines }) {
  const points = lines.flatMap(line => line.points)
  const ticks = [...new Set(points.map(([at]) => at))].sort((a, b) => a - b)
  const [first, last] = [ticks[0] ?? 0, ticks.at(-1) ?? 1]
  const top = roundUp(Math.max(...points.map(([, value]) => value)))
  const across = (/** @type {number} */ at) =>
    PLOT.left + ((PLOT.right - PLOT.left) * (at - first)) / (last - first || 1)
  const drawn = lines.map(line => {
    const kind = line.accent === true ? 'accent' : 'plain'
    const places = line.points.map(([at, value]) => [across(at), up(value, top)].map(n => n.toFixed(1)).join(','))
    const dots = places.map(place => `<circle class="${kind}" cx="${place.replace(',', '" cy="')}" r="3.5"/>`)
    return `<polyline class="${kind}"${line.dashed === true ? ' stroke-dasharray="5 4"' : ''} points="${places.join(' ')}"/>${dots.join('')}`
  })
  const marks = ticks.map(at => text(across(at), PLOT.bottom + 20, String(at), 'middle'))
  return frame({ title, x, y, top, legend: lines }, [...marks, ...drawn])
}

/** Bars side by side over names. @param {{ title: string, x: string, y: string, names: readonly string[], bars: readonly Bars[] }} chart */
export function barChart({ title, x, y, names, bars }) {
  const top = roundUp(Math.max(...bars.flatMap(({ values }) => values)))
  const room = (PLOT.right - PLOT.left) / names.length
  const width = Math.min(72, (room * 0.7) / bars.length)
  const drawn = names.flatMap((name, place) => {
    const middle = PLOT.left + room * (place + 0.5)
    const one = bars.map(({ accent, values }, n) => {
      const value = values[place] ?? 0
      const left = middle + (n - bars.length / 2) * width
      const rect = `<rect class="${accent === true ? 'accent' : 'plain'}" x="${(left + 3).toFixed(1)}" y="${up(value, top).toFixed(1)}" width="${(width - 6).toFixed(1)}" height="${(PLOT.bottom - up(value, top)).toFixed(1)}"/>`
      return rect + text(left + width / 2, up(value, top) - 6, grouped(value), 'middle')
    })
    return [...one, text(middle, PLOT.bottom + 20, name, 'middle')]
  })
  return frame({ title, x, y, top, legend: bars }, drawn)
}

/** @param {{ title: string, x: string, y: string, top: number, legend: readonly { label: string, accent?: boolean, dashed?: boolean }[] }} chart @param {readonly string[]} drawn */
function frame({ title, x, y, top, legend }, drawn) {
  const grid = [0, 0.25, 0.5, 0.75, 1].map(part => {
    const at = up(part * top, top).toFixed(1)
    return `<line class="grid" x1="${PLOT.left}" x2="${PLOT.right}" y1="${at}" y2="${at}"/>${text(PLOT.left - 8, Number(at) + 4, grouped(part * top), 'end')}`
  })
  const middle = (PLOT.top + PLOT.bottom) / 2
  const keys = legend.map(({ label, accent, dashed }, n) => {
    const left = PLOT.left + n * 190
    const stroke = `<line class="${accent === true ? 'accent' : 'plain'}"${dashed === true ? ' stroke-dasharray="5 4"' : ''} x1="${left}" x2="${left + 22}" y1="42" y2="42"/>`
    return stroke + text(left + 28, 46, label, 'start')
  })
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${escaped(title)}">
<style>
text { font: 13px system-ui, sans-serif; fill: #3d444d }
.title { font-weight: 600; font-size: 15px }
.grid { stroke: #8b949e; stroke-opacity: 0.3 }
.plain { stroke: #768390; fill: #768390; stroke-width: 2 }
.accent { stroke: #0a7d8c; fill: #0a7d8c; stroke-width: 2 }
polyline.plain, polyline.accent { fill: none }
@media (prefers-color-scheme: dark) { text { fill: #d1d7e0 } .accent { stroke: #39c5d6; fill: #39c5d6 } }
</style>
<text class="title" x="${PLOT.left}" y="22">${escaped(title)}</text>
${[...keys, ...grid, ...drawn].join('\n')}
${text((PLOT.left + PLOT.right) / 2, HEIGHT - 14, x, 'middle')}
<text transform="translate(18 ${middle}) rotate(-90)" text-anchor="middle">${escaped(y)}</text>
</svg>
`
}

/** @param {number} value @param {number} top */
const up = (value, top) => PLOT.bottom - ((PLOT.bottom - PLOT.top) * value) / top

/** The next of 1, 2, 4, 5, 8, 10 times a power of ten, which quarters well. @param {number} value */
function roundUp(value) {
  const power = 10 ** Math.floor(Math.log10(value))
  return ([1, 2, 4, 6, 8, 10].find(step => step * power >= value) ?? 10) * power
}

/** @param {number} left @param {number} top @param {string} said @param {'start' | 'middle' | 'end'} anchor */
const text = (left, top, said, anchor) =>
  `<text x="${left.toFixed(1)}" y="${top.toFixed(1)}" text-anchor="${anchor}">${escaped(said)}</text>`

/** @param {number} value */
const grouped = value =>
  Math.round(value)
    .toString()
    .replace(/\B(?=(\d{3})+$)/g, ' ')

/** @param {string} said */
const escaped = said => said.replace(/[&<>"]/g, one => `&#${one.charCodeAt(0)};`)
