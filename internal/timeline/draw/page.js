const LEFT = 130; // pixels beside the rows, for names
const AXIS = 22; // below them
const BUSY = 70; // height of the picture of busy slots
const TALLEST = 8000; // canvases have a limit

const $ = id => document.getElementById(id);

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
	const rows = Math.max(1, picture.rows.length);
	const each = Math.min(22, Math.max(1, 700 / rows), TALLEST / rows);
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
// they are filled. It adds to busy, which knows of no filter.
function drawRow(c, row, y, h, pixels, busy) {
	const pixel = (picture.to - picture.from) / pixels;
	const first = Math.max(0, row.shown.after(picture.from) - 1), end = row.shown.after(picture.to);
	if (end - first <= pixels / 2) drawBars(c, row.shown, first, end, y, h, pixels);
	else eachColumn(row.shown, pixels, (x, before, now) => drawColumn(c, row, x, y, h, pixel, before, now));
	if (busy) eachColumn(row.all, pixels, (x, before, now) => { busy[x] += (now.worked - before.worked) / pixel; });
}

// eachColumn calls visit with the sums before and behind each column.
function eachColumn(sums, pixels, visit) {
	const pixel = (picture.to - picture.from) / pixels;
	let before = sums.upTo(picture.from);
	for (let x = 0; x < pixels; x++) {
		const now = sums.upTo(picture.from + (x + 1) * pixel, before.count);
		visit(x, before, now);
		before = now;
	}
}

function drawBars(c, sums, first, end, y, h, pixels) {
	const { start, took, state } = picture.data, pixel = (picture.to - picture.from) / pixels;
	for (let n = first; n < end; n++) {
		const i = sums.at[n], x = (start[i] - picture.from) / pixel, w = took[i] / pixel;
		if (x + w < 0) continue;
		const x0 = Math.max(0, x), x1 = Math.min(pixels, x + w);
		c.fillStyle = states[state[i]].colour;
		c.fillRect(LEFT + x0, y, Math.max(0.7, x1 - x0 - (x1 - x0 > 3 ? 0.5 : 0)), h);
		bars++;
	}
}

function drawColumn(c, row, x, y, h, pixel, before, now) {
	const worked = (now.worked - before.worked) / pixel, waited = (now.waited - before.waited) / pixel;
	const wrong = row.shown.firstWrong(before.count, now.count, picture.from + x * pixel);
	if (worked <= 0 && waited <= 0 && !wrong) return;
	bars++;
	if (waited > 0) {
		c.globalAlpha = Math.min(1, waited);
		c.fillStyle = states.find(s => s.severity === WAITS).colour;
		c.fillRect(LEFT + x, y, 1, h);
	}
	if (worked > 0 || wrong) {
		c.globalAlpha = wrong ? 1 : Math.min(1, Math.max(0.1, worked));
		c.fillStyle = (wrong || states.find(s => s.severity === WORKS && s.item !== row.body)).colour;
		c.fillRect(LEFT + x, y, 1, h);
	}
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
	const count = row && share >= 0 ? row.shown.after(time) : 0;
	const i = count > 0 ? row.shown.at[count - 1] : -1, { start, took, state, index } = picture.data;
	const slack = 3 * (picture.to - picture.from) / $("bars").clientWidth; // narrow bars are hard to hit
	if (i < 0 || time > start[i] + took[i] + slack) {
		box.style.display = "none";
		return;
	}
	const s = states[state[i]], note = s.item && picture.loop.notes[index[i]];
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
	const { states: all, loops } = JSON.parse($("data").textContent);
	states = all;
	$("data").remove(); // it may be long
	$("loops").append(...loops.map((loop, i) => new Option((i + 1) + ": " + loop.title, i)));
	$("loops").hidden = loops.length < 2;
	$("loops").onchange = event => choose(loops[event.target.value]);
	for (const s of states) {
		const key = Object.assign(document.createElement("span"), { className: "key" });
		key.style.background = s.colour;
		$("keys").append(key, s.name);
	}
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
		picture.show(0, picture.whole);
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
