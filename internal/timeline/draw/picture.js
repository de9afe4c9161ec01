"use strict";
// States by number, as the records have them: name, colour, whether of an item, and
// severity, of which WAITS, WORKS and WRONG are the numbers.
let states = [];
const WAITS = 0, WORKS = 1, WRONG = 2;

// isWork says whether a slot is busy in a state: it is not while its rank is lost.
const isWork = state => state.item || state.severity === WORKS;

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

// Sums are over records of a row before a time, so what a column of pixels shows
// costs the same however many records there are. at lists the records, by start.
class Sums {
	constructor(data, at) {
		this.data = data;
		this.at = at;
		this.worked = new Float64Array(at.length + 1);
		this.waited = new Float64Array(at.length + 1);
		this.wrong = new Uint32Array(at.length + 1);
		at.forEach((i, n) => {
			const s = states[data.state[i]], took = data.took[i];
			this.worked[n + 1] = this.worked[n] + (isWork(s) ? took : 0);
			this.waited[n + 1] = this.waited[n] + (s.severity === WAITS ? took : 0);
			this.wrong[n + 1] = this.wrong[n] + (s.severity === WRONG ? 1 : 0);
		});
	}

	// after returns how many records begin before or at a time, of which it is known
	// that so many do.
	after(time, known = 0) {
		const { at, data } = this, { start } = data;
		let low = known, step = 1;
		while (low + step <= at.length && start[at[low + step - 1]] <= time) {
			low += step;
			step *= 2;
		}
		let high = Math.min(at.length, low + step - 1);
		while (low < high) {
			const middle = (low + high) >> 1;
			if (start[at[middle]] <= time) low = middle + 1;
			else high = middle;
		}
		return low;
	}

	// upTo returns the sums up to a time, and how many records they are of; it is
	// known of that many that they begin before it.
	upTo(time, known = 0) {
		const count = this.after(time, known);
		let worked = this.worked[count], waited = this.waited[count];
		if (count > 0) { // the last one may go on
			const { start, took, state } = this.data, i = this.at[count - 1];
			const s = states[state[i]], left = Math.max(0, start[i] + took[i] - time);
			if (isWork(s)) worked -= left;
			if (s.severity === WAITS) waited -= left;
		}
		return { worked, waited, count };
	}

	// firstWrong returns the state of the first record that went wrong between two
	// times, up to which so many begin; undefined if none did.
	firstWrong(before, now, from) {
		const { start, took, state } = this.data;
		const i = this.at[before - 1];
		if (before > 0 && start[i] + took[i] > from && states[state[i]].severity === WRONG) return states[state[i]];
		if (this.wrong[now] === this.wrong[before]) return undefined;
		for (let n = before; n < now; n++) {
			const s = states[state[this.at[n]]];
			if (s.severity === WRONG) return s;
		}
	}
}

// Picture is one loop, and the part of its time that is shown, which is never
// nothing.
class Picture {
	constructor(loop) {
		this.loop = loop;
		this.whole = loop.elapsed || 1e-9;
		this.data = decode(loop);
		let first = 0;
		this.rows = loop.rows.map(row => {
			const at = Uint32Array.from({ length: row.count }, (_, i) => first + i);
			first += row.count;
			const all = new Sums(this.data, at);
			return { ...row, all, shown: all };
		});
		this.from = 0;
		this.to = this.whole;
		this.filter(0);
	}

	// filter hides items that took less than shortest seconds.
	filter(shortest) {
		const { took, state } = this.data;
		this.shortest = shortest;
		for (const row of this.rows) {
			row.shown = shortest === 0 ? row.all
				: new Sums(this.data, row.all.at.filter(i => !states[state[i]].item || took[i] >= shortest));
		}
	}

	// zoom makes the time shown factor as long, and keeps a time where it is.
	zoom(factor, time) {
		const span = Math.max(1e-7, (this.to - this.from) * factor);
		const share = (time - this.from) / (this.to - this.from);
		this.show(time - share * Math.min(span, this.whole), span);
	}

	// show shows a span from a time on, moved into the loop.
	show(from, span) {
		span = Math.min(span, this.whole);
		this.from = Math.min(Math.max(0, from), this.whole - span);
		this.to = this.from + span;
	}
}
