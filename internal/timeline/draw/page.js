"use strict";
// States by number, as the records have them.
const STATES = [
	{ name: "done", colour: "#3b7dd8", item: true, rank: 1 },
	{ name: "failed", colour: "#d62728", item: true, rank: 2 },
	{ name: "crashed", colour: "#d62728", item: true, rank: 2 },
	{ name: "cut off", colour: "#ff9896", item: true, rank: 2 },
	{ name: "waits for rank 0", colour: "#f0d9a8", rank: 0 },
	{ name: "rank 0's loop body", colour: "#59a14f", rank: 1 },
	{ name: "lost", colour: "#7f1d1d", rank: 2 },
];
const LEFT = 130; // pixels beside the rows, for names
const AXIS = 22; // below them
const BUSY = 70; // height of the picture of busy slots

const $ = id => document.getElementById(id);

// decode turns the columns of the records into arrays.
function decode(loop) {
	const text = atob(loop.records), bytes = new Uint8Array(text.length);
	for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
	const n = loop.count, buffer = bytes.buffer;
	return {
		start: new Float64Array(buffer, 0, n),
		took: new Float32Array(buffer, 8 * n, n),
		index: new Uint32Array(buffer, 12 * n, n),
		state: new Uint8Array(buffer, 16 * n, n),
	};
}

// Picture is one loop, and the part of its time that is shown. What a column of
// pixels shows comes from sums over all records before a time, so it costs the
// same however many there are.
class Picture {
	constructor(loop) {
		this.loop = loop;
		this.data = decode(loop);
		this.rows = [];
		let first = 0;
		for (const row of loop.rows) {
			this.rows.push({ ...row, first, end: first + row.count });
			first += row.count;
		}
		this.from = 0;
		this.to = loop.elapsed || 1e-9;
		this.filter(0);
	}

	// filter hides items that took less than shortest seconds, and makes the sums.
	filter(shortest) {
		const { took, state } = this.data;
		this.shortest = shortest;
		for (const row of this.rows) {
			const shown = [];
			for (let i = row.first; i < row.end; i++) {
				if (!STATES[state[i]].item || took[i] >= shortest) shown.push(i);
			}
			row.shown = Uint32Array.from(shown);
			row.worked = new Float64Array(shown.length + 1);
			row.waited = new Float64Array(shown.length + 1);
			row.bad = new Uint32Array(shown.length + 1);
			shown.forEach((i, at) => {
				const s = STATES[state[i]];
				row.worked[at + 1] = row.worked[at] + (s.rank > 0 ? took[i] : 0);
				row.waited[at + 1] = row.waited[at] + (s.rank === 0 ? took[i] : 0);
				row.bad[at + 1] = row.bad[at] + (s.rank > 1 ? 1 : 0);
			});
		}
	}

	// after returns how many of the shown records of a row begin before or at a
	// time, of which it is known that so many do.
	after(row, time, known = 0) {
		const { start } = this.data, { shown } = row;
		let low = known, step = 1;
		while (low + step <= shown.length && start[shown[low + step - 1]] <= time) {
			low += step;
			step *= 2;
		}
		let high = Math.min(shown.length, low + step - 1);
		while (low < high) {
			const middle = (low + high) >> 1;
			if (start[shown[middle]] <= time) low = middle + 1;
			else high = middle;
		}
		return low;
	}

	// upTo returns the sums over a row up to a time; at is after(row, time).
	upTo(row, time, at) {
		let worked = row.worked[at], waited = row.waited[at];
		if (at > 0) { // the last one may go on
			const i = row.shown[at - 1];
			const left = Math.max(0, this.data.start[i] + this.data.took[i] - time);
			if (STATES[this.data.state[i]].rank > 0) worked -= left;
			else waited -= left;
		}
		return { worked, waited, at };
	}

	// zoom makes the time shown factor as long, and keeps a time where it is.
	zoom(factor, time) {
		const whole = this.loop.elapsed || 1e-9;
		const span = Math.min(whole, Math.max(1e-7, (this.to - this.from) * factor));
		const share = (time - this.from) / (this.to - this.from);
		this.show(time - share * span, span);
	}

	// show shows a span from a time on, moved into the loop.
	show(from, span) {
		const whole = this.loop.elapsed || 1e-9;
		this.from = Math.min(Math.max(0, from), Math.max(0, whole - span));
		this.to = this.from + Math.min(span, whole);
	}
}

let picture, bars = 0, pending = false;

function sized(canvas, height) {
	const ratio = window.devicePixelRatio || 1, width = canvas.clientWidth || 1000;
	canvas.style.height = height + "px";
	canvas.width = width * ratio;
	canvas.height = height * ratio;
	const c = canvas.getContext("2d");
	c.scale(ratio, ratio);
	c.font = "11px sans-serif";
	c.clearRect(0, 0, width, height);
	return { c, width };
}

function layout() {
	const each = Math.min(22, Math.max(1, 700 / Math.max(1, picture.rows.length)));
	return { each, height: each * picture.rows.length };
}

// draw draws all. busy is summed up on the way.
function draw() {
	pending = false;
	const { each, height } = layout();
	const { c, width } = sized($("bars"), height + AXIS);
	const pixels = Math.max(1, Math.floor(width - LEFT));
	const busy = new Float64Array(pixels);
	bars = 0;
	picture.rows.forEach((row, i) => {
		const y = i * each, h = each >= 4 ? each - 1 : each;
		c.fillStyle = "#fafafa";
		c.fillRect(LEFT, y, pixels, h);
		drawRow(c, row, y, h, pixels, row.body ? null : busy);
		if (each >= 9) {
			c.fillStyle = "#444";
			c.fillText(row.name, 2, y + each * 0.7, LEFT - 6);
		}
	});
	axis(c, height, pixels);
	drawBusy(busy, pixels);
	document.body.dataset.bars = bars;
	document.body.dataset.from = picture.from;
	document.body.dataset.to = picture.to;
}

// drawRow draws bars one by one where there are few, and else columns as dark as
// they are filled.
function drawRow(c, row, y, h, pixels, busy) {
	const { start, took, state } = picture.data, pixel = (picture.to - picture.from) / pixels;
	const first = Math.max(0, picture.after(row, picture.from) - 1), end = picture.after(row, picture.to);
	let before = picture.upTo(row, picture.from, picture.after(row, picture.from));
	const single = end - first <= pixels / 2;
	for (let x = 0; x < pixels; x++) {
		const time = picture.from + (x + 1) * pixel;
		const now = picture.upTo(row, time, picture.after(row, time, before.at));
		const filled = (now.worked - before.worked) / pixel;
		if (busy) busy[x] += filled;
		if (!single) column(c, row, x, y, h, filled, (now.waited - before.waited) / pixel, row.bad[now.at] - row.bad[before.at]);
		before = now;
	}
	for (let at = first; single && at < end; at++) {
		const i = row.shown[at], x = (start[i] - picture.from) / pixel, w = took[i] / pixel;
		if (x + w < 0) continue;
		const x0 = Math.max(0, x), x1 = Math.min(pixels, x + w);
		c.fillStyle = STATES[state[i]].colour;
		c.fillRect(LEFT + x0, y, Math.max(0.7, x1 - x0 - (x1 - x0 > 3 ? 0.5 : 0)), h);
		bars++;
	}
}

function column(c, row, x, y, h, filled, waited, bad) {
	if (filled <= 0 && waited <= 0 && bad === 0) return;
	bars++;
	if (waited > 0) {
		c.globalAlpha = Math.min(1, waited);
		c.fillStyle = STATES[4].colour;
		c.fillRect(LEFT + x, y, 1, h);
	}
	c.globalAlpha = bad ? 1 : Math.min(1, Math.max(0.1, filled));
	c.fillStyle = bad ? STATES[1].colour : STATES[row.body ? 5 : 0].colour;
	c.fillRect(LEFT + x, y, 1, h);
	c.globalAlpha = 1;
}

// seconds is a text for a time.
function seconds(s, digits) {
	const [value, unit] = s >= 1 || s === 0 ? [s, " s"] : s >= 1e-3 ? [s * 1e3, " ms"] : [s * 1e6, " us"];
	return Number(value.toPrecision(digits || 3)) + unit;
}

function axis(c, y, pixels) {
	const span = picture.to - picture.from;
	let step = Math.pow(10, Math.floor(Math.log10(span / 5)));
	step *= [1, 2, 5, 10].find(m => span / (step * m) <= 10) || 10;
	c.fillStyle = "#444";
	for (let t = Math.ceil(picture.from / step) * step; t <= picture.to; t += step) {
		const x = LEFT + (t - picture.from) / span * pixels;
		c.fillRect(x, y, 1, 4);
		c.fillText(seconds(t, 6), x + 2, y + 15);
	}
}

function drawBusy(busy, pixels) {
	const { c } = sized($("busy"), BUSY);
	const slots = picture.rows.filter(r => !r.body).length || 1;
	c.fillStyle = "#3b7dd8";
	busy.forEach((n, x) => {
		const h = Math.min(1, n / slots) * (BUSY - 4);
		c.fillRect(LEFT + x, BUSY - h, 1, h);
	});
	c.fillStyle = "#444";
	c.fillText("busy slots", 2, 12);
	c.fillText("of " + slots, 2, 26);
}

function redraw() {
	if (!pending) {
		pending = true;
		requestAnimationFrame(draw);
	}
}

// place returns the time and the row under the pointer.
function place(event) {
	const box = $("bars").getBoundingClientRect(), pixels = Math.max(1, Math.floor(box.width - LEFT));
	const share = (event.clientX - box.left - LEFT) / pixels;
	return {
		time: picture.from + share * (picture.to - picture.from), share,
		row: picture.rows[Math.floor((event.clientY - box.top) / layout().each)],
	};
}

function tip(event) {
	const { time, row, share } = place(event), box = $("tip");
	const at = row && share >= 0 ? picture.after(row, time) - 1 : -1;
	const i = at >= 0 ? row.shown[at] : -1, { start, took, state, index } = picture.data;
	const slack = 3 * (picture.to - picture.from) / $("bars").clientWidth; // narrow bars are hard to hit
	if (i < 0 || time > start[i] + took[i] + slack) {
		box.style.display = "none";
		return;
	}
	const s = STATES[state[i]], note = s.item && picture.loop.notes[index[i]];
	box.textContent = (s.item ? "item " + index[i] + ", " : "") + s.name + ", " + seconds(took[i]) +
		"\nfrom " + seconds(start[i], 6) + ", slot " + row.name + (note ? "\n" + note : "");
	box.style.display = "block";
	box.style.left = Math.min(event.clientX + 12, window.innerWidth - box.offsetWidth - 8) + "px";
	box.style.top = event.clientY + 14 + "px";
}

// choose shows another loop.
function choose(loop) {
	picture = new Picture(loop);
	$("title").textContent = loop.title + ", " + new Date(loop.began).toISOString().replace("T", " ").slice(0, 19) + " UTC";
	$("head").textContent = loop.numbers;
	$("limit").textContent = loop.summary.limit;
	const warnings = loop.losses.map(l => "rank " + l.rank + " was lost at " + seconds(l.at) + ": " + l.why);
	if (!loop.ended) warnings.push("whoever wrote this did not end the loop");
	if (loop.err) warnings.push("the loop ended with an error: " + loop.err);
	if (loop.dropped) warnings.push(loop.dropped + " bytes of records are missing: the disk was too slow");
	$("warn").textContent = warnings.join("; ");
	$("shortest").value = 0;
	$("shown").textContent = "all";
	$("longest").replaceChildren(...loop.longest.map(item => {
		const line = document.createElement("tr"), row = picture.rows[item.row];
		const texts = ["item " + item.index, seconds(item.took), seconds(item.start, 6), row ? row.name : "", loop.notes[item.index] || ""];
		line.append(...texts.map(text => Object.assign(document.createElement("td"), { textContent: text })));
		line.onclick = () => {
			picture.show(item.start - item.took, 3 * item.took);
			redraw();
		};
		return line;
	}));
	draw();
}

function start() {
	const loops = JSON.parse($("data").textContent);
	$("data").remove(); // it may be long
	$("loops").append(...loops.map((loop, i) => new Option((i + 1) + ": " + loop.title, i)));
	$("loops").hidden = loops.length < 2;
	$("loops").onchange = event => choose(loops[event.target.value]);
	STATES.forEach((s, i) => {
		if (i === 2) return; // as failed
		const key = Object.assign(document.createElement("span"), { className: "key" });
		key.style.background = s.colour;
		$("keys").append(key, s.name);
	});
	const canvas = $("bars");
	canvas.addEventListener("wheel", event => {
		event.preventDefault();
		picture.zoom(Math.exp(event.deltaY * 0.002), place(event).time);
		redraw();
	}, { passive: false });
	let dragged = null;
	canvas.onpointerdown = event => { dragged = { x: event.clientX, from: picture.from }; };
	window.addEventListener("pointerup", () => { dragged = null; });
	canvas.onpointermove = event => {
		if (!dragged) return tip(event);
		const span = picture.to - picture.from;
		picture.show(dragged.from - (event.clientX - dragged.x) / (canvas.clientWidth - LEFT) * span, span);
		redraw();
	};
	canvas.onpointerleave = () => { $("tip").style.display = "none"; };
	$("whole").onclick = canvas.ondblclick = () => {
		picture.show(0, picture.loop.elapsed);
		redraw();
	};
	// The slider goes from nothing to the longest item by factors.
	$("shortest").onchange = event => {
		const longest = picture.loop.longest.length ? picture.loop.longest[0].took : 1, n = Number(event.target.value);
		picture.filter(n === 0 ? 0 : longest * Math.pow(10, (n - 100) / 20));
		$("shown").textContent = n === 0 ? "all" : seconds(picture.shortest);
		redraw();
	};
	window.onresize = redraw;
	if (loops.length > 0) choose(loops[0]);
	else $("head").textContent = "no loop was recorded";
}

start();
