// Line charts that are drawn anew with each sample, and tables of rows. Texts are put in as texts, never as markup.

const SVG = "http://www.w3.org/2000/svg";
/** Samples that a chart shows at most: five minutes; and from the beginning on: one. */
const SAMPLES = 150, SAMPLES_MIN = 30;
/** The size of the drawing, which the style stretches to the chart's. */
const WIDTH = 300, HEIGHT = 80;

export function element(name, { text, ...attributes } = {}, ...children) {
	const made = document.createElement(name);
	for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
	if (text !== undefined) made.textContent = text;
	made.append(...children);
	return made;
}

function shape(name, attributes = {}) {
	const made = document.createElementNS(SVG, name);
	for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
	return made;
}

/** The least round number that is not below a value: 1, 2 or 5 times a power of ten. */
export function ceiling(value) {
	if (!(value > 0)) return 1;
	const power = 10 ** Math.floor(Math.log10(value));
	return [1, 2, 5, 10].map((step) => step * power).find((round) => round >= value * (1 - 1e-9));
}

/** A chart of one or two lines under a title. */
export class Chart {
	#lines;
	#format;
	#svg = shape("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img" });
	#values;
	#top = element("span");
	#span = element("span");
	#samples = [];
	#title;

	/** `lines` are the names of what is drawn; `format` shows a value. */
	constructor(title, lines, format) {
		[this.#title, this.#lines, this.#format] = [title, lines, format];
		const kinds = ["first", "second"];
		this.#values = lines.map((_, at) => element("span", { class: kinds[at] }));
		const legend = element("span", { class: "legend" }, ...this.#values);
		const scale = element("div", { class: "scale", "aria-hidden": "true" }, this.#top, this.#span);
		const caption = element("figcaption", {}, element("span", { text: title }), legend);
		this.element = element("figure", {}, caption, this.#svg, scale);
		this.#svg.append(shape("line", { x1: 0, x2: WIDTH, y1: HEIGHT - 1, y2: HEIGHT - 1 }), shape("line", { x1: 0, x2: WIDTH, y1: 1, y2: 1 }));
		for (const at of lines.keys()) this.#svg.append(shape("path", { class: kinds[at], d: "" }));
	}

	/** Adds a sample: a value for each line, `null` where there is none. */
	add(values) {
		this.#samples.push(values);
		if (this.#samples.length > SAMPLES) this.#samples.shift();
		const shown = (value) => (value === null ? "–" : this.#format(value));
		const top = ceiling(Math.max(0, ...this.#samples.flat().filter((value) => value !== null)));
		this.#top.textContent = this.#format(top);
		this.#span.textContent = this.#width() > SAMPLES_MIN ? `${Math.ceil(this.#width() / SAMPLES_MIN)} minutes` : "1 minute";
		for (const [at, name] of this.#lines.entries()) {
			this.#values[at].textContent = name ? `${name} ${shown(values[at])}` : shown(values[at]);
			this.#svg.querySelectorAll("path")[at].setAttribute("d", this.#path(at, top));
		}
		const told = this.#lines.map((name, at) => `${name} ${shown(values[at])}`.trim()).join(", ");
		this.#svg.setAttribute("aria-label", `${this.#title}: ${told}`);
	}

	/** How many samples there is room for. */
	#width() {
		return Math.max(SAMPLES_MIN, this.#samples.length);
	}

	#path(line, top) {
		const step = WIDTH / (this.#width() - 1);
		const from = this.#width() - this.#samples.length;
		let [drawn, isDown] = ["", false];
		for (const [at, sample] of this.#samples.entries()) {
			const value = sample[line];
			if (value !== null) {
				const y = HEIGHT - 1 - (HEIGHT - 2) * Math.min(1, value / top);
				// The line of no length shows a sample that has no neighbour.
				drawn += `${isDown ? "L" : "M"}${((from + at) * step).toFixed(1)} ${y.toFixed(1)}${isDown ? "" : "h0"}`;
			}
			isDown = value !== null;
		}
		return drawn;
	}
}

/** Shows rows of a table: `columns` are a title, a value of a row, and whether it is a number. */
export function fill(table, columns, rows, empty) {
	const kind = (isNumber) => (isNumber ? { class: "number" } : { class: "name" });
	const head = columns.map(([title, , isNumber]) => element("th", { scope: "col", text: title, ...kind(isNumber) }));
	const body = rows.map((row) => element("tr", {}, ...columns.map(([, value, isNumber]) => element("td", { text: value(row) ?? "–", ...kind(isNumber) }))));
	if (!rows.length) body.push(element("tr", {}, element("td", { text: empty, colspan: columns.length, class: "soft" })));
	table.replaceChildren(element("thead", {}, element("tr", {}, ...head)), element("tbody", {}, ...body));
}
