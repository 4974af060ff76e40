"use strict";
// Draws the charts over time, so that they can be read off, zoomed and resized. Tables and figures
// stand in the page without it.
const data = JSON.parse(document.getElementById("data").textContent);
const GUTTER = 64, FOOT = 22, HEAD = 6;
const MINUTE = 60, HOUR = 3600, DAY = 86400;
const MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ");
const whole = [data.start, Math.max(data.end, data.start + 1)];
let shown = whole, logarithmic = false;

function make(name, attributes, parent) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  parent.append(node);
  return node;
}

// --- numbers and moments ---

const tidy = (value, most) => value.toLocaleString("en-US", { maximumFractionDigits: most }).replace("-", "−");
const money = (value) => tidy(value, Math.abs(value) < 100 ? 4 : Math.abs(value) < 10000 ? 2 : 0);
const price = (value) => tidy(value, Math.abs(value) < 10 ? 6 : 4);
const percent = (value) => `${tidy(100 * value, 2)}%`;

function moment(seconds, clock = true) {
  const text = new Date(1000 * seconds).toISOString();
  return clock ? text.slice(0, 16).replace("T", " ") : text.slice(0, 10);
}

function ticks(low, high, count) {
  const rough = (high - low) / count, power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((factor) => factor * power).find((each) => each >= rough) ?? rough;
  const found = [];
  for (let value = Math.ceil(low / step) * step; value <= high + step * 1e-9; value += step) found.push([value, step]);
  return found;
}

// Ticks of a logarithmic scale: 1, 2 and 5 of each power of ten, or plain ones where those are few.
function powers(low, high, count) {
  if (high / low < 5) return ticks(low, high, count);
  const found = [];
  for (let power = 10 ** Math.floor(Math.log10(low)); power <= high; power *= 10) {
    for (const factor of high / low > 1e4 ? [1] : [1, 2, 5]) found.push([factor * power, power]);
  }
  return found.filter(([value]) => value >= low && value <= high);
}

function short(value, step) {
  const units = [[1e9, "B"], [1e6, "M"], [1e3, "k"]];
  const [unit, name] = units.find(([size]) => Math.abs(value) >= size && step >= size / 100) ?? [1, ""];
  const places = Math.max(0, -Math.floor(Math.log10(step / unit) + 1e-9) + (/25$/.test((step / unit).toPrecision(2)) ? 1 : 0));
  return tidy(Math.abs(value) < step / 1e6 ? 0 : value / unit, Math.min(places, 8)) + name;
}

function moments(from, to, count) {
  const rough = (to - from) / count;
  const steps = [MINUTE, 5 * MINUTE, 15 * MINUTE, HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR, DAY, 2 * DAY, 7 * DAY];
  const step = steps.find((each) => each >= rough);
  if (step) {
    const found = [], offset = step === 7 * DAY ? 4 * DAY : 0;  // weeks begin on Mondays
    for (let at = Math.ceil((from - offset) / step) * step + offset; at <= to; at += step) found.push([at, clock(at, step)]);
    return found;
  }
  return calendar(from, to, [1, 2, 3, 6, 12, 24, 60, 120].find((each) => each * 31 * DAY >= rough) ?? 240);
}

function clock(at, step) {
  const date = new Date(1000 * at);
  if (step < DAY && at % DAY) return date.toISOString().slice(11, 16);
  return `${date.getUTCDate()} ${MONTHS[date.getUTCMonth()]}`;
}

function calendar(from, to, step) {
  const found = [], first = new Date(1000 * from);
  let month = Math.floor((first.getUTCFullYear() * 12 + first.getUTCMonth()) / step) * step;
  for (; ; month += step) {
    const at = Date.UTC(Math.floor(month / 12), month % 12) / 1000;
    if (at > to) return found;
    const name = month % 12 ? MONTHS[month % 12] : String(month / 12);
    if (at >= from) found.push([at, name]);
  }
}

// The first place in ascending times that is not before a moment.
function place(times, moment) {
  let low = 0, high = times.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (times[middle] < moment) low = middle + 1; else high = middle;
  }
  return low;
}

function nearest(times, moment) {
  const after = Math.min(place(times, moment), times.length - 1), before = Math.max(after - 1, 0);
  return moment - times[before] < times[after] - moment ? before : after;
}

// --- a chart: its frame, its axes, and what it is asked to draw between them ---

class Chart {
  constructor(id, tall, format) {
    this.host = document.getElementById(id);
    this.readout = this.host.querySelector(".readout");
    this.tall = tall;
    this.format = format;
    this.margin = 0;
    charts.push(this);
    listen(this);
  }

  get height() { return innerWidth < 600 ? Math.round(this.tall * .8) : this.tall; }

  // The places of the times shown, with one neighbour on each side so that lines reach the edge.
  span(times) {
    return [Math.max(place(times, shown[0]) - 1, 0), Math.min(place(times, shown[1]) + 2, times.length)];
  }

  draw() {
    const style = getComputedStyle(this.host);
    this.width = Math.max(this.host.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight), 120);
    this.right = this.width - GUTTER;
    this.bottom = this.height - FOOT;
    this.host.querySelector("svg")?.remove();
    this.svg = make("svg", { viewBox: `0 0 ${this.width} ${this.height}`, role: "img", "aria-label": this.label }, this.host);
    this.fit(this.range());
    this.axes();
    const clip = make("svg", { x: 0, y: 0, width: this.right, height: this.bottom, overflow: "hidden" }, this.svg);
    this.content(clip);
    this.cross = make("line", { class: "cross", y1: HEAD, y2: this.bottom, visibility: "hidden" }, this.svg);
    this.choice = make("rect", { class: "chosen", y: 0, height: this.bottom, width: 0 }, this.svg);
    this.tell();
  }

  // The scale of the values shown, with some room above and below.
  fit([low, high]) {
    this.curved = logarithmic && this.ceiling === undefined && low > 0;
    [low, high] = [this.scaled(low), this.scaled(high)];
    if (!(high > low)) [low, high] = [low - (Math.abs(low) * .01 || 1), high + (Math.abs(high) * .01 || 1)];
    const room = (high - low) * (.05 + this.margin / this.height);
    [this.low, this.high] = [low - room, Math.min(high + room, this.ceiling ?? Infinity)];
  }

  scaled(value) { return this.curved ? Math.log(value) : value; }

  x(time) { return (time - shown[0]) / (shown[1] - shown[0]) * this.right; }
  y(value) { return HEAD + (this.high - this.scaled(value)) / (this.high - this.low) * (this.bottom - HEAD); }
  time(x) { return shown[0] + Math.min(Math.max(x / this.right, 0), 1) * (shown[1] - shown[0]); }

  axes() {
    const count = this.height / 55;
    const found = this.curved ? powers(Math.exp(this.low), Math.exp(this.high), count) : ticks(this.low, this.high, count);
    for (const [value, step] of found) {
      const y = this.y(value);
      if (y < HEAD - 1 || y > this.bottom) continue;
      make("line", { class: "grid", x1: 0, x2: this.right, y1: y, y2: y }, this.svg);
      make("text", { x: this.right + 7, y: y + 4 }, this.svg).textContent = this.format(value, step);
    }
    for (const [at, name] of moments(...shown, Math.max(this.right / 72, 2))) {
      const x = this.x(at);
      make("line", { class: "grid", x1: x, x2: x, y1: HEAD, y2: this.bottom }, this.svg);
      if (x > 14 && x < this.right + 20) make("text", { x, y: this.height - 6, "text-anchor": "middle" }, this.svg).textContent = name;
    }
    make("line", { class: "axis", x1: 0, x2: this.right, y1: this.bottom + .5, y2: this.bottom + .5 }, this.svg);
  }

  path(times, values, [first, end]) {
    let text = "";
    for (let at = first; at < end; at++) text += `${at > first ? "L" : "M"}${this.x(times[at]).toFixed(1)} ${this.y(values[at]).toFixed(1)}`;
    return text;
  }

  point(time) {
    const off = time === undefined;
    this.cross.setAttribute("visibility", off ? "hidden" : "visible");
    if (!off) for (const end of ["x1", "x2"]) this.cross.setAttribute(end, this.x(this.times[nearest(this.times, time)]));
    this.tell(time);
  }

  // Writes the values at a moment, or at the end of what is shown, above the chart.
  tell(time) {
    if (!this.times.length) return;
    const at = nearest(this.times, time ?? shown[1]);
    const entries = this.values(at).map(([name, key, value]) => {
      const entry = document.createElement("span"), text = document.createElement("span"), bold = document.createElement("b");
      if (key) entry.className = `key k-${key}`;
      text.textContent = name ? `${name} ` : "";
      bold.textContent = value;
      entry.append(text, bold);
      return entry;
    });
    this.readout.replaceChildren(...entries);
  }
}

const charts = [];
const account = data.account;

class Lines extends Chart {
  constructor(id, tall, format, label, lines) {
    super(id, tall, format);
    Object.assign(this, { label, lines: lines.filter((line) => line.values.length), times: account.time });
  }

  range() {
    const [first, end] = this.span(this.times);
    let low = Infinity, high = -Infinity;
    for (const { values } of this.lines) {
      for (let at = first; at < end; at++) { low = Math.min(low, values[at]); high = Math.max(high, values[at]); }
    }
    return [low, high];
  }

  content(parent) {
    const span = this.span(this.times);
    for (const { key, values, filled } of this.lines) {
      const d = this.path(this.times, values, span);
      const [from, to] = [this.times[span[0]], this.times[span[1] - 1]].map((time) => this.x(time).toFixed(1));
      if (filled) make("path", { class: `a-${key}`, d: `${d}L${to} ${this.y(0)}L${from} ${this.y(0)}Z` }, parent);
      make("path", { class: `line l-${key}`, d }, parent);
    }
  }

  values(at) {
    const said = this.lines.map(({ name, key, values, say }) => [name, key, say(values[at])]);
    return [["", "", moment(this.times[at], daily(this.times))], ...said];
  }
}

// Whether the clock says something: not where all moments are midnights.
const clocks = new Map();
function daily(times) {
  if (!clocks.has(times)) clocks.set(times, times.some((time) => time % DAY));
  return clocks.get(times);
}

class Prices extends Chart {
  constructor(id, tall) {
    super(id, tall, short);
    this.margin = 14;
    this.choose(0);
  }

  choose(number) {
    this.symbol = data.symbols[number];
    this.label = `Price and fills of ${this.symbol.name}`;
    this.times = this.symbol.bars.map((bar) => bar[0]);
    this.fillTimes = this.symbol.fills.map((fill) => fill[0]);
    const merged = this.symbol.merged > 1 ? `Each point is ${this.symbol.merged} bars. ` : "";
    document.getElementById("price-note").textContent =
      `${merged}The grey band is from low to high; nearer, bars are candles, hollow when they rose. ▲ bought, ▼ sold, at the price of the fill.`;
  }

  range() {
    const [first, end] = this.span(this.times);
    let low = Infinity, high = -Infinity;
    for (let at = first; at < end; at++) { low = Math.min(low, this.symbol.bars[at][3]); high = Math.max(high, this.symbol.bars[at][2]); }
    return [low, high];
  }

  content(parent) {
    const [first, end] = this.span(this.times), bars = this.symbol.bars;
    const wide = (end - first) > this.right / 6;
    if (wide) this.band(parent, bars, first, end); else this.candles(parent, bars.slice(first, end));
    this.fills(parent);
  }

  band(parent, bars, first, end) {
    let over = "", under = "";
    for (let at = first; at < end; at++) {
      const x = this.x(bars[at][0]).toFixed(1);
      over += `${at > first ? "L" : "M"}${x} ${this.y(bars[at][2]).toFixed(1)}`;
      under = `L${x} ${this.y(bars[at][3]).toFixed(1)}${under}`;
    }
    make("path", { class: "a-range", d: `${over}${under}Z` }, parent);
    make("path", { class: "line l-close", d: this.path(this.times, bars.map((bar) => bar[4]), [first, end]) }, parent);
  }

  candles(parent, bars) {
    const body = Math.min(Math.max(this.x(shown[0] + this.symbol.step) * .62, 1), 16);
    for (const [closed, open, high, low, close] of bars) {
      const x = this.x(closed - this.symbol.step / 2), kind = close < open ? "c-down" : "c-up";
      const [top, foot] = [this.y(Math.max(open, close)), this.y(Math.min(open, close))];
      make("path", { class: kind, d: `M${x} ${this.y(high)}V${top}M${x} ${foot}V${this.y(low)}` }, parent);
      make("rect", { class: kind, x: x - body / 2, y: top, width: body, height: Math.max(foot - top, 1) }, parent);
    }
  }

  fills(parent) {
    const first = place(this.fillTimes, shown[0]), end = place(this.fillTimes, shown[1] + 1);
    const dense = end - first > 400, size = dense ? 3.5 : end - first > 120 ? 4.5 : 6, paths = { 1: "", "-1": "" };
    for (const [time, price, , side] of this.symbol.fills.slice(first, end)) {
      const x = this.x(time).toFixed(1), y = this.y(price).toFixed(1), tall = side * size * 1.5;
      paths[side] += `M${x} ${y}l${-size} ${tall}h${2 * size}Z`;
    }
    for (const [side, key] of [["1", "f-buy"], ["-1", "f-sell"]]) make("path", { class: dense ? `${key} dense` : key, d: paths[side] }, parent);
  }

  values(at) {
    const [closed, open, high, low, close] = this.symbol.bars[at];
    const said = [["", "", moment(closed, daily(this.times))], ["Open", "", price(open)], ["High", "", price(high)], ["Low", "", price(low)], ["Close", "close", price(close)]];
    const from = place(this.fillTimes, closed - this.symbol.step), to = place(this.fillTimes, closed);
    const fills = this.symbol.fills.slice(from, to);
    for (const [, at, quantity, side] of fills.slice(0, 3)) said.push([side > 0 ? "Bought" : "Sold", side > 0 ? "buy" : "sell", `${tidy(quantity, 8)} at ${price(at)}`]);
    if (fills.length > 3) said.push(["", "", `and ${fills.length - 3} more fills`]);
    return said;
  }
}

// --- pointing at a moment and choosing a period, in all charts at once ---

function listen(chart) {
  let from = null;
  const at = (event) => event.clientX - chart.svg.getBoundingClientRect().left;
  chart.host.addEventListener("pointermove", (event) => {
    for (const each of charts) each.point(chart.time(at(event)));
    if (from !== null) mark(chart, from, at(event));
  });
  chart.host.addEventListener("pointerleave", () => { if (from === null) for (const each of charts) each.point(); });
  chart.host.addEventListener("pointerdown", (event) => {
    if (event.pointerType !== "mouse" || event.button) return;
    from = at(event);
    chart.host.setPointerCapture(event.pointerId);
  });
  chart.host.addEventListener("pointerup", (event) => {
    if (from === null) return;
    const [start, end] = [from, at(event)].map((x) => chart.time(x)).sort((one, other) => one - other);
    const far = Math.abs(at(event) - from) > 8;
    from = null;
    if (far) show([start, Math.max(end, start + MINUTE)]); else mark(chart, 0, 0);
  });
  chart.host.addEventListener("pointercancel", () => { from = null; mark(chart, 0, 0); });
  chart.host.addEventListener("dblclick", () => show(whole));
}

function mark(chart, from, to) {
  const [start, end] = [from, to].map((x) => Math.min(Math.max(x, 0), chart.right)).sort((one, other) => one - other);
  chart.choice.setAttribute("x", start);
  chart.choice.setAttribute("width", end - start);
}

function show(period) {
  shown = period;
  for (const button of document.querySelectorAll("#ranges [data-from]")) {
    button.setAttribute("aria-pressed", String(Number(button.dataset.from) === shown[0] && shown[1] === whole[1]));
  }
  draw();
}

function draw() { for (const chart of charts) chart.draw(); }

function ranges() {
  const length = whole[1] - whole[0];
  const periods = [["1 week", 7], ["1 month", 30], ["3 months", 91], ["1 year", 365], ["5 years", 1826]];
  const fitting = periods.filter(([, days]) => days * DAY < length * .8 && days * DAY > length / 500).slice(-3);
  const choices = fitting.map(([name, days]) => [name, whole[1] - days * DAY]);
  for (const [name, from] of [...choices, ["All", whole[0]]]) {
    const button = pushed(name);
    button.title = name === "All" ? "The whole run. Drag across a chart to choose a period." : `The last ${name.replace("1 ", "")}`;
    button.dataset.from = from;
    button.addEventListener("click", () => show([from, whole[1]]));
  }
  const button = pushed("Log");
  button.title = "Equity and price on a logarithmic scale";
  button.setAttribute("aria-pressed", "false");
  button.addEventListener("click", () => {
    logarithmic = !logarithmic;
    button.setAttribute("aria-pressed", String(logarithmic));
    draw();
  });
}

function pushed(name) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = name;
  document.getElementById("ranges").append(button);
  return button;
}

// --- tables and text ---

function sortable(table) {
  [...table.tHead.rows[0].cells].forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    head.replaceChildren(button);
    button.addEventListener("click", () => sort(table, head, column));
  });
}

function sort(table, head, column) {
  const down = head.getAttribute("aria-sort") === "ascending";
  for (const each of table.tHead.rows[0].cells) each.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", down ? "descending" : "ascending");
  const keyed = [...table.tBodies[0].rows].map((row) => [key(row.cells[column].textContent), row]);
  keyed.sort(([one], [other]) => (one < other ? -1 : one > other ? 1 : 0) * (down ? -1 : 1));
  table.tBodies[0].append(...keyed.map(([, row]) => row));
}

function key(text) {
  const plain = text.replace("−", "-").replace(/[,%]/g, "");
  if (plain === "") return -Infinity;
  return Number.isNaN(Number(plain)) ? text : Number(plain);
}

function copyable(block) {
  const button = document.createElement("button"), text = block.querySelector("pre");
  button.type = "button";
  button.textContent = "Copy";
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(text.textContent);
      button.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(text);
      button.textContent = "Selected";
    }
    setTimeout(() => (button.textContent = "Copy"), 2000);
  });
  block.prepend(button);
}

new Lines("chart-equity", 320, short, "Equity, and buying and holding instead", [
  { name: "Buy and hold", key: "held", values: account.held, say: money },
  { name: "Equity", key: "equity", values: account.equity, say: money },
]);
const under = new Lines("chart-drawdown", 150, (value) => percent(value), "Drawdown", [
  { name: "Drawdown", key: "drawdown", values: account.drawdown, say: percent, filled: true },
]);
under.ceiling = 0;
if (data.symbols.length) {
  const prices = new Prices("chart-price", 380);
  document.getElementById("symbol")?.addEventListener("change", (event) => {
    prices.choose(Number(event.target.value));
    prices.draw();
  });
}
ranges();
show(whole);
let measured = innerWidth;
new ResizeObserver(() => { if (measured !== (measured = document.body.clientWidth)) draw(); }).observe(document.body);
for (const table of document.querySelectorAll("#trips")) sortable(table);
for (const block of document.querySelectorAll(".copy")) copyable(block);
