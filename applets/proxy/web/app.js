/* app.js - the frontend's page: the nodes, how they are, and what they say
 * SPDX-License-Identifier: Apache-2.0
 *
 * What a node or a person wrote enters the page as text only (textContent,
 * append of strings), never as markup. Nobody is asked but the origin that
 * served the page. Sections: ceilings, short words, asking, the list, one node,
 * doing things, addresses, keys, start.
 */
"use strict";

/* ---- ceilings and tables ---- */

const BODY_MAX = 8 << 20;	/* bytes of one answer that are shown */
const VERSION_MAX = 80;		/* characters of a version that are shown */
const PRETTY_MAX = 2 << 20;	/* longer JSON stays as it came */
const DEPTH_MAX = 64;		/* so does deeper JSON */
const MARKS_MAX = 2000;		/* highlighted places in one text */
const PROBES = 4;		/* version requests under way at once */
const ASK_MS = 20000;		/* patience with one answer */
const LIST_MS = 5000;		/* between two looks at the list */
const PROBE_MS = 15000;		/* a node unheard of for so long is asked its version */
const PROBE_EACH_MS = 50;	/* with many nodes: so long for each of them */
const VERSION_MS = 60000;	/* versions are asked again after this in any case */
const DRAW_MS = 200;
const TOAST_MS = 6000;

/* A tab: the paths to try (the next one on 404), the applet that asks the
 * same, and what a filter keeps: lines, or blocks between blank lines. */
const TABS = [
	{ id: "metrics", label: "Metrics", paths: ["metrics"], cli: "metrics", unit: "line" },
	{ id: "threads", label: "Threads", paths: ["threads"], cli: "threads", unit: "block" },
	{ id: "loglevel", label: "Log levels", paths: ["loglevel"], cli: "loglevel", unit: "line" },
	{ id: "conf", label: "Configuration", paths: ["conf", "config"], cli: "config", unit: "line" },
	{ id: "meta", label: "Metadata", paths: ["meta"], cli: "meta", unit: "line" },
	{ id: "inference", label: "Inference", paths: ["inference_info"], cli: "inference", unit: "line" },
	{ id: "env", label: "Environment", paths: ["env"], cli: "env", unit: "line" },
];

const LEVELS = ["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL", "NOTSET"];

/* worst first */
const STATES = ["down", "failing", "stale", "unknown", "healthy"];
const GLYPHS = { down: "■", failing: "▲", stale: "◌", unknown: "○", healthy: "●" };
const THEMES = ["auto", "light", "dark"];
const LOCAL = "local_proxy";

/* A JSON member whose name smells of a secret, and its string value. */
const SECRET = new RegExp(
	/^(\s*"[^"\n]*(?:KEY|TOKEN|SECRET|PASS|CRED|AUTH|DSN)[^"\n]*": )/.source
	+ /"(?:[^"\\\n]|\\.)+"/.source, "gim");
const HIDDEN = "$1\"••••••••\"";

/* ---- short words ---- */

const $ = (id) => document.getElementById(id);

function el(tag, cls, ...children)
{
	const e = document.createElement(tag);

	if (cls)
		e.className = cls;
	e.append(...children);
	return e;
}

function put(e, text)
{
	if (e.textContent !== text)
		e.textContent = text;
}

/* Lone surrogates would make encodeURIComponent throw. */
const enc = (s) => encodeURIComponent(s.toWellFormed ? s.toWellFormed() : s);

function dec(s)
{
	try {
		return decodeURIComponent(s);
	} catch {
		return s;
	}
}

function parsed(text)
{
	try {
		return JSON.parse(text);
	} catch {
		return undefined;
	}
}

const isObject = (v) => typeof v === "object" && v !== null && !Array.isArray(v);
const text_of = (v) => v === undefined || v === null ? "" : String(v);

/* One word for a POSIX shell. */
const quoted = (s) => /^[\w@%+=:,./-]+$/.test(s) ? s : "'" + s.replaceAll("'", "'\\''") + "'";

function bytes(n)
{
	if (n < 1000)
		return n + " B";
	return n < 1e6 ? (n / 1e3).toFixed(1) + " kB" : (n / 1e6).toFixed(1) + " MB";
}

function ago(ms)
{
	const s = Math.round(ms / 1000);

	if (s < 1)
		return "now";
	if (s < 100)
		return s + " s ago";
	return s < 6000 ? Math.round(s / 60) + " min ago" : Math.round(s / 3600) + " h ago";
}

const now_text = () => new Date().toLocaleTimeString([], { hour12: false });

/* The browser may refuse to remember; the page works all the same. */
function remember(key, value)
{
	try {
		localStorage.setItem("lmc." + key, value);
	} catch { /* private window */ }
}

function remembered(key)
{
	try {
		return localStorage.getItem("lmc." + key);
	} catch {
		return null;
	}
}

/* JSON laid out over lines by its tokens: no value is read, so no digit, key
 * order, duplicate or Infinity is lost. Text that is no JSON comes back as
 * it is. */
function pretty(text)
{
	const token = /\s+|"[^"\\]*(?:\\.[^"\\]*)*"|[{}[\],:]|[^\s"{}[\],:]+/gy;
	const closes = { "}": "{", "]": "[" };
	const open = [];
	const out = [];
	let last = "", used = 0;
	const line = () => out.push("\n", "  ".repeat(open.length));

	if (!/^\s*[{[]/.test(text) || text.length > PRETTY_MAX)
		return text;
	for (const [t] of text.matchAll(token)) {
		used += t.length;
		if (/^\s/.test(t))
			continue;
		if (t in closes) {
			if (open.pop() !== closes[t])
				return text;
			if (last !== closes[t])
				line();
		} else if (last === "{" || last === "[" || last === ",") {
			line();
		}
		out.push(t === ":" ? ": " : t);
		if ((t === "{" || t === "[") && open.push(t) > DEPTH_MAX)
			return text;
		last = t;
	}
	return open.length || used !== text.length ? text : out.join("");
}

/* ---- asking ---- */

/* What went wrong, in words for a person. */
class Trouble extends Error {}

/* The words an error body has for us: {"detail"}, {"error","message"} or text. */
function explained(text)
{
	const j = parsed(text);
	let words = text;

	if (isObject(j))
		words = [j.detail, j.error, j.message, j.reason]
			.filter((v) => v !== undefined)
			.map((v) => typeof v === "string" ? v : JSON.stringify(v))
			.join(": ") || text;
	words = words.trim();
	return words.length > 500 ? words.slice(0, 500) + "…" : words;
}

async function body_of(answer, max)
{
	const decoder = new TextDecoder();
	let text = "", size = 0, cut = false;

	if (!answer.body)
		return { text, size, cut };
	const reader = answer.body.getReader();
	for (;;) {
		const { done, value } = await reader.read();
		if (done)
			break;
		size += value.length;
		text += decoder.decode(value, { stream: true });
		if (size > max) {
			cut = true;
			await reader.cancel();
			break;
		}
	}
	return { text: text + decoder.decode(), size, cut };
}

/* { ok, status, text, size, cut, ms }; throws Trouble if nothing came. */
async function ask(path, { signal, max = BODY_MAX, method = "GET", json } = {})
{
	const patience = AbortSignal.timeout(ASK_MS);
	const begin = performance.now();
	const init = {
		method,
		cache: "no-store",
		redirect: "manual",
		signal: signal ? AbortSignal.any([signal, patience]) : patience,
	};

	if (json !== undefined) {
		init.headers = { "Content-Type": "application/json" };
		init.body = JSON.stringify(json);
	}
	try {
		const answer = await fetch(path, init);
		if (answer.type === "opaqueredirect")
			throw new Trouble("The node answered with a redirect, which is not followed.");
		const body = await body_of(answer, max);
		return {
			...body, ok: answer.ok, status: answer.status,
			ms: performance.now() - begin,
		};
	} catch (e) {
		if (e instanceof Trouble || (signal && signal.aborted))
			throw e;
		if (patience.aborted)
			throw new Trouble(`No answer within ${ASK_MS / 1000} s.`);
		throw new Trouble("The frontend cannot be reached, or the answer broke off.");
	}
}

/* ---- the list ---- */

const list = {
	nodes: [],		/* as of the last good answer */
	fronts: [],		/* other frontends; their nodes are in there, too */
	sources: [],		/* registries: { source, entries, bad, stale, why } */
	left_out: 0,		/* nodes over the frontend's limits */
	loaded: "",		/* when that was, or "" */
	alarm: "",		/* why the last one was not good */
	filter: "",
	rows: new Map(),	/* key -> <tr> */
	seen: new Map(),	/* key -> { version, state, error, ms, at, heard, busy } */
	probing: 0,
	timer: 0,
	drawing: 0,
};

function address(host, port)
{
	if (port.includes("/"))
		return "unix:" + port;
	return (host.includes(":") ? `[${host}]` : host) + ":" + port;
}

/* What the frontend tells of one that it learned of. */
const stale_of = (top) => top?.stale_since === undefined ? ""
	: `${text_of(top.why)} since ${text_of(top.stale_since).replace(/T(..:..).*/, " $1 UTC")}`;

function node_of(raw, top)
{
	const name = text_of(raw.name);
	const proxy = text_of(top?.name);
	const via = proxy === LOCAL ? "" : proxy;
	const stale = stale_of(top);

	return {
		name, via,
		key: via + "\0" + name,
		host: text_of(raw.host),
		port: text_of(raw.port),
		address: address(text_of(raw.host), text_of(raw.port)),
		near: (via ? via + " › " : "")
			+ address(text_of(raw.host), text_of(raw.port)).replace(/^unix:.*\//, "…/"),
		url: (via ? `proxy2/${enc(via)}/` : "") + `proxy2/${enc(name)}/`,
		hash: via ? `#/proxies/${enc(via)}/nodes/${enc(name)}` : `#/nodes/${enc(name)}`,
		state: stale ? "stale" : STATES.includes(raw.state) ? raw.state : "",
		error: stale || text_of(raw.last_error),
		ms: typeof raw.latency_ms === "number" ? raw.latency_ms : null,
		age: typeof raw.age_ms === "number" ? raw.age_ms : null,
	};
}

/* The leaves of the tree, or of the flat list that old frontends give. One of
 * our own nodes whose name another node has is called by its full name. */
function leaves(answer)
{
	const found = new Map(), names = new Map();
	const take = (raw, top) => {
		const n = node_of(raw, top);
		if (found.has(n.key))
			return;
		found.set(n.key, n);
		names.set(n.name, (names.get(n.name) ?? 0) + 1);
	};

	for (const top of answer.nodes) {
		if (!isObject(top))
			continue;
		const under = top.children ?? top.nodes;
		if (Array.isArray(under))
			under.filter(isObject).forEach((c) => take(c, top));
		else if (!top.is_proxy)
			take(top, null);
	}
	for (const n of found.values())
		if (!n.via && names.get(n.name) > 1)
			n.url = `proxy2/${LOCAL}/` + n.url;
	return [...found.values()];
}

function front_of(top)
{
	const under = top.children ?? top.nodes;
	const stale = stale_of(top);

	return {
		name: text_of(top.name),
		address: address(text_of(top.host), text_of(top.port)),
		nodes: Array.isArray(under) ? under.length : 0,
		source: text_of(top.source),
		state: stale ? "stale" : STATES.includes(top.state) ? top.state : "unknown",
		why: stale || text_of(top.why),
	};
}

/* What is known of a node: the frontend's word first, then our own look. */
function health(n)
{
	const s = list.seen.get(n.key) ?? {};
	const told = n.state && n.state !== "unknown";

	return {
		state: told ? n.state : s.state ?? "unknown",
		error: told && n.state === "healthy" ? "" : n.error || s.error || "",
		version: s.version ?? "",
		simulated: /simulated/i.test(s.version ?? ""),
		ms: n.ms ?? s.ms ?? null,	/* of the last good answer */
		age: n.age ?? (s.heard ? Date.now() - s.heard : null),
	};
}

async function list_load()
{
	clearTimeout(list.timer);
	try {
		const r = await ask("api/nodes");
		const j = parsed(r.text);
		if (!r.ok)
			throw new Trouble(`The frontend answered ${r.status}: ${explained(r.text)}`);
		if (!isObject(j) || !Array.isArray(j.nodes))
			throw new Trouble("The frontend's list of nodes is not understood.");
		list.nodes = leaves(j);
		list.fronts = j.nodes.filter((t) => isObject(t) && t.is_proxy === true
			&& t.name !== LOCAL).map(front_of);
		list.sources = Array.isArray(j.sources) ? j.sources.filter(isObject) : [];
		list.left_out = Number(j.left_out) || 0;
		list.loaded = now_text();
		list.alarm = "";
	} catch (e) {
		list.alarm = e.message;
	}
	list_draw();
	node_draw();
	probe();
	list_later();
}

function list_later()
{
	clearTimeout(list.timer);
	if (!document.hidden)
		list.timer = setTimeout(list_load, LIST_MS);
}

/* The frontend knows of a node what its traffic tells, so who looks at the
 * list makes some: each node's version is asked now and then, a few at a time,
 * more seldom where others keep the frontend's word fresh. */
function probe_due(n)
{
	const s = list.seen.get(n.key);
	const heard = n.state === "healthy" && n.age !== null && n.age < PROBE_MS;
	const every = Math.max(heard ? VERSION_MS : PROBE_MS, list.nodes.length * PROBE_EACH_MS);

	return !s || (!s.busy && Date.now() - s.at > every);
}

function probe()
{
	for (const n of list.nodes.filter(probe_due)) {
		if (list.probing >= PROBES)
			return;
		list.probing++;
		probe_one(n).finally(() => {
			list.probing--;
			draw_soon();
			probe();
		});
	}
}

/* Many answers, one drawing. */
function draw_soon()
{
	list.drawing ||= setTimeout(() => {
		list.drawing = 0;
		list_draw();
		node_draw();
	}, DRAW_MS);
}

async function probe_one(n)
{
	const seen = { ...list.seen.get(n.key), busy: true, at: Date.now() };

	list.seen.set(n.key, seen);
	try {
		const r = await ask(n.url + "version", { max: 1 << 16 });
		const v = parsed(r.text);
		if (r.ok) {
			seen.ms = r.ms;
			seen.version = (typeof v === "string" ? v : r.text.trim()).slice(0, VERSION_MAX);
			seen.state = "healthy";
			seen.error = "";
			seen.heard = Date.now();
		} else {
			seen.state = r.status === 502 || r.status === 504 ? "down"
				: r.status === 404 ? "healthy" : "failing";
			seen.error = r.status === 404 ? "" : explained(r.text);
		}
	} catch (e) {
		seen.state = "unknown";
		seen.error = e.message;
	}
	seen.at = Date.now();
	seen.busy = false;
}

const collator = new Intl.Collator(undefined, { numeric: true });

/* a and b are rows to be: { n, h }, a node and its health() */
function by_worst(a, b)
{
	return STATES.indexOf(a.h.state) - STATES.indexOf(b.h.state)
		|| collator.compare(a.n.via, b.n.via)
		|| collator.compare(a.n.name, b.n.name);
}

function matches({ n, h })
{
	const hay = [n.name, n.via, n.address, h.state, h.version, h.error].join("\n").toLowerCase();

	return list.filter.toLowerCase().split(/\s+/).every((w) => hay.includes(w));
}

function row_new(n)
{
	const tr = el("tr", "", el("td", "state"), el("th", "name"),
		el("td", "c-version"), el("td", "c-address"), el("td", "c-via"),
		el("td", "c-ms num"), el("td", "c-age num"));
	const a = el("a", "", el("bdi"));
	const badge = el("span", "badge", "simulated");

	tr.cells[0].append(el("span", "glyph"), el("span", "word"));
	tr.cells[0].firstChild.ariaHidden = "true";
	tr.cells[1].scope = "row";
	tr.cells[1].append(a, badge, el("span", "sub"), el("span", "error"));
	a.href = n.hash;
	badge.hidden = true;
	tr.addEventListener("click", (e) => {
		if (!e.target.closest("a") && getSelection().isCollapsed)
			location.hash = n.hash;
	});
	return tr;
}

function row_fill(tr, { n, h })
{
	const [state, name, version, where, via, ms, age] = tr.cells;

	state.dataset.state = h.state;
	put(state.children[0], GLYPHS[h.state]);
	put(state.children[1], h.state);
	put(name.children[0].firstChild, n.name);
	name.children[1].hidden = !h.simulated;
	put(name.children[2], n.near);
	put(name.children[3], h.error);
	put(version, h.version);
	put(where, n.address);
	put(via, n.via);
	put(ms, h.ms === null ? "" : h.ms.toFixed(h.ms < 10 ? 1 : 0) + " ms");
	put(age, h.age === null ? "" : ago(h.age));
	if (n.key === here.key)
		name.children[0].setAttribute("aria-current", "page");
	else
		name.children[0].removeAttribute("aria-current");
	tr.classList.toggle("here", n.key === here.key);
}

function rows_draw(shown)
{
	const body = $("nodes").tBodies[0];
	const focused = document.activeElement;
	let next = body.firstElementChild;

	for (const one of shown) {
		let tr = list.rows.get(one.n.key);
		if (!tr)
			list.rows.set(one.n.key, tr = row_new(one.n));
		row_fill(tr, one);
		if (tr === next)
			next = next.nextElementSibling;
		else
			body.insertBefore(tr, next);
	}
	while (next) {
		const gone = next;
		next = next.nextElementSibling;
		gone.remove();
	}
	if (focused !== document.activeElement && focused.isConnected)
		focused.focus({ preventScroll: true });
}

function list_note(shown)
{
	if (!list.loaded)
		return list.alarm ? "No list of nodes yet." : "Loading the list of nodes…";
	if (!list.nodes.length)
		return "This frontend has no nodes. Add one here, or start it with --nodes or --config.";
	if (!shown)
		return `None of ${list.nodes.length} nodes matches the filter.`;
	return "";
}

function state_cell(state)
{
	const td = el("td", "state", el("span", "glyph", GLYPHS[state]), el("span", "word", state));

	td.dataset.state = state;
	td.firstChild.ariaHidden = "true";
	return td;
}

function front_row(f)
{
	const name = el("th", "name", el("bdi", "", f.name), el("span", "error", f.why));
	const tr = el("tr", "", state_cell(f.state), name, el("td", "num", String(f.nodes)),
		el("td", "c-address", f.address), el("td", "c-via", f.source));

	name.scope = "row";
	tr.addEventListener("click", () => {
		$("filter").value = list.filter = f.name;
		list_draw();
	});
	return tr;
}

function source_line(s)
{
	const bad = Number(s.bad) || 0;
	const li = el("li", "", el("bdi", "", text_of(s.source)),
		`: ${Number(s.entries) || 0} named`, bad ? `, ${bad} left out` : "");

	if (s.stale)
		li.append(", ", el("b", "", "does not tell now"));
	if (s.why)
		li.append(" ", el("span", "error", text_of(s.why)));
	return li;
}

/* Drawn anew when something is another: it is open seldom. */
function fronts_draw()
{
	const { fronts, sources, left_out } = list;
	const look = JSON.stringify([fronts, sources, left_out]);
	const stale = fronts.filter((f) => f.state === "stale").length;
	const mute = sources.filter((s) => s.stale).length;
	const words = [`${fronts.length} frontend${fronts.length === 1 ? "" : "s"}`];

	$("fronts").hidden = !fronts.length && !sources.length;
	if (list.fronts_look === look)
		return;
	list.fronts_look = look;
	if (stale)
		words.push(`${stale} stale`);
	if (sources.length)
		words.push(`${sources.length} registr${sources.length === 1 ? "y" : "ies"}`);
	if (mute)
		words.push(`${mute} silent`);
	if (left_out)
		words.push(`${left_out} nodes over the limits are left out`);
	const box = $("fronts");
	put(box.querySelector("summary"), words.join(" · "));
	box.classList.toggle("bad", stale + mute + left_out > 0);
	box.querySelector("tbody").replaceChildren(...fronts.map(front_row));
	box.querySelector("table").hidden = !fronts.length;
	box.querySelector("ul").replaceChildren(...sources.map(source_line));
}

function list_draw()
{
	const all = list.nodes.map((n) => ({ n, h: health(n) }));
	const shown = all.filter(matches).sort(by_worst);
	const note = list_note(shown.length);
	const keys = new Set(list.nodes.map((n) => n.key));

	for (const known of [list.rows, list.seen])
		for (const key of known.keys())
			if (!keys.has(key))
				known.delete(key);
	rows_draw(shown);
	fronts_draw();
	$("nodes").hidden = !shown.length;
	$("nodes").classList.toggle("no-via", !list.nodes.some((n) => n.via));
	put($("list-note"), note);
	$("list-note").hidden = !note;
	$("alarm").hidden = !list.alarm;
	put($("alarm"), list.alarm && list.alarm
		+ (list.loaded ? ` What is shown is from ${list.loaded}.` : "") + " Trying again.");
	summary_draw(all);
}

function summary_draw(all)
{
	const counts = new Map(STATES.map((s) => [s, 0]));
	const versions = new Set();

	for (const { h } of all) {
		counts.set(h.state, counts.get(h.state) + 1);
		if (h.version)
			versions.add(h.version);
	}
	const words = [...counts].filter(([, k]) => k).map(([s, k]) => `${k} ${s}`);
	if (versions.size > 1)
		words.push(`${versions.size} versions`);
	const bad = counts.get("down") + counts.get("failing") + counts.get("stale");
	put($("summary"), list.loaded ? words.join(" · ") || "no nodes" : "");
	$("summary").classList.toggle("bad", bad > 0);
	const title = here.name ? `${here.name}: ${here.tab.label}` : "LMCache nodes";
	document.title = (bad ? `(${bad}) ` : "") + title;
}

/* ---- one node ---- */

/* Where we are; key "" is the list. */
const here = { key: "", name: "", via: "", tab: TABS[0], find: "", every: 0 };

const view = {
	abort: null,		/* of the request under way */
	timer: 0,
	text: null,		/* laid out, or null: nothing came yet */
	shown: "",		/* what of it is on the screen */
	trouble: "",
	facts: "",
	path: "",		/* the one that answered */
};
const path_known = new Map();	/* key + tab -> that path, for the next time */

const current = () => list.nodes.find((n) => n.key === here.key);
const here_url = () => current()?.url
	?? (here.via ? `proxy2/${enc(here.via)}/` : "") + `proxy2/${enc(here.name)}/`;

function node_draw()
{
	if (!here.key)
		return;
	const n = current();
	const facts = $("node-facts");

	put($("node-name"), here.name);
	facts.replaceChildren();
	$("edit").hidden = $("delete").hidden = !n || Boolean(n.via);
	if (!n) {
		facts.append(list.loaded ? "not on this frontend's list" : "");
		return;
	}
	const h = health(n);
	const state = el("span", "state", el("span", "glyph", GLYPHS[h.state]), " " + h.state);
	state.dataset.state = h.state;
	state.firstChild.ariaHidden = "true";
	facts.append(state);
	if (h.version)
		facts.append(el("bdi", "", h.version));
	if (h.simulated)
		facts.append(el("span", "badge", "simulated"));
	facts.append(el("bdi", "", n.address));
	if (n.via)
		facts.append(el("bdi", "", "through " + n.via));
	if (h.error)
		facts.append(el("span", "error", h.error));
	$("edit").href = n.hash + "/edit";
}

function tabs_draw()
{
	const box = $("tabs");
	const base = address_of({ ...here, find: "", every: 0 }).slice(0, -here.tab.id.length);

	if (!box.children.length)
		for (const t of TABS) {
			const a = el("a", "", t.label);
			a.id = "tab-" + t.id;
			a.role = "tab";
			a.setAttribute("aria-controls", "panel");
			box.append(a);
		}
	TABS.forEach((t, i) => {
		const a = box.children[i];
		a.href = base + t.id;
		a.ariaSelected = String(t === here.tab);
		a.tabIndex = t === here.tab ? 0 : -1;
	});
	$("panel").setAttribute("aria-labelledby", "tab-" + here.tab.id);
	box.children[TABS.indexOf(here.tab)].scrollIntoView({ block: "nearest", inline: "nearest" });
}

function commands_draw()
{
	const path = view.path || here.tab.paths[0];
	const url = new URL(here_url() + path, document.baseURI);
	const front = new URL(".", document.baseURI).href.split("#")[0].replace(/\/$/, "");

	put($("cmd-curl"), "curl -sS " + quoted(url.href));
	const name = here_url().startsWith(`proxy2/${LOCAL}/`) ? `${LOCAL}/${here.name}`
		: (here.via ? here.via + "/" : "") + here.name;
	put($("cmd-lmc"), `lmc ${here.tab.cli} -n ${quoted(name)} --via ${quoted(front)}`);
	$("raw").href = url.href;
}

/* The text as it may be seen, then what of it the filter keeps. */
function text_shown()
{
	let text = view.text;

	if (here.tab.id === "env" && !$("secrets").checked)
		text = text.replace(SECRET, HIDDEN);
	if (!here.find)
		return { text, found: "" };
	const gap = here.tab.unit === "block" ? "\n\n" : "\n";
	const parts = text.split(here.tab.unit === "block" ? /\n{2,}/ : "\n");
	const needle = here.find.toLowerCase();
	const kept = parts.filter((p) => p.toLowerCase().includes(needle));

	return {
		text: kept.join(gap),
		found: `${kept.length} of ${parts.length} ${here.tab.unit}s`,
	};
}

/* Text with the found words marked. */
function marked(text, word)
{
	const out = document.createDocumentFragment();
	const re = new RegExp(word.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"), "gi");
	let at = 0, n = 0;

	for (const m of text.matchAll(re)) {
		if (++n > MARKS_MAX)
			break;
		out.append(text.slice(at, m.index), el("mark", "", m[0]));
		at = m.index + m[0].length;
	}
	out.append(text.slice(at));
	return out;
}

function note_text(shown)
{
	if (view.trouble)
		return view.trouble + (view.text === null ? "" : " What is shown is older.");
	if (view.text === null)
		return `Loading ${here.tab.label.toLowerCase()}…`;
	if (!view.text.trim())
		return "The node answered, with nothing in it.";
	return shown ? "" : "Nothing in the text matches.";
}

function text_draw()
{
	const { text, found } = view.text === null ? { text: "", found: "" } : text_shown();
	const pre = $("text");
	const note = note_text(text);
	const look = here.find + "\0" + text;

	put($("found"), found);
	put($("text-note"), note);
	$("text-note").hidden = !note;
	$("text-note").classList.toggle("error", Boolean(view.trouble));
	put($("text-facts"), view.facts);
	$("secrets-box").hidden = here.tab.id !== "env";
	pre.hidden = !text;
	pre.classList.toggle("old", Boolean(view.trouble));
	if (view.shown === look)
		return;
	view.shown = look;
	pre.replaceChildren(here.find ? marked(text, here.find) : text);
}

/* Tries the tab's paths until one is not 404. */
async function fetch_tab(signal)
{
	const id = here.key + "\0" + here.tab.id;
	const known = path_known.get(id);
	const paths = known ? [known] : here.tab.paths;
	let first = null;

	for (const path of paths) {
		const r = await ask(here_url() + path, { signal });
		if (r.ok)
			path_known.set(id, path);
		if (r.status !== 404)
			return { ...r, path };
		first ??= { ...r, path };
	}
	path_known.delete(id);
	return first;
}

function refusal(r)
{
	const words = explained(r.text);

	if (r.status === 403)
		return `Not allowed (403): ${words}`;
	if (r.status === 502 || r.status === 504)
		return `The node cannot be reached (${r.status}): ${words}`;
	if (r.status === 404 && words === "Not Found")
		return `This node does not offer ${here.tab.label.toLowerCase()} (404).`;
	return `The answer is an error (${r.status}): ${words}`;
}

function view_take(r)
{
	view.trouble = r.ok ? "" : refusal(r);
	view.path = r.path;
	if (r.ok)
		view.text = pretty(r.text);
	view.facts = `${r.status} · ${bytes(r.size)} · ${r.ms.toFixed(0)} ms · ${now_text()}`
		+ (r.cut ? ` · cut after ${bytes(BODY_MAX)}` : "");
	if (here.tab.id === "loglevel" && r.ok)
		loggers_fill(r.text);
}

async function view_load()
{
	clearTimeout(view.timer);
	view.abort?.abort();
	if (!here.key)
		return;
	const abort = view.abort = new AbortController();
	$("panel").ariaBusy = "true";
	try {
		const r = await fetch_tab(abort.signal);
		if (abort.signal.aborted)
			return;
		view_take(r);
	} catch (e) {
		if (abort.signal.aborted)
			return;
		view.trouble = e.message;
	}
	$("panel").ariaBusy = "false";
	if (getSelection().isCollapsed || !$("text").contains(getSelection().anchorNode))
		text_draw();
	commands_draw();
	view_later();
}

function view_later()
{
	clearTimeout(view.timer);
	if (here.key && here.every && !document.hidden)
		view.timer = setTimeout(view_load, here.every * 1000);
}

function loggers_fill(text)
{
	const names = text.split("\n").map((l) => /^(\S.*): [^:]+$/.exec(l)?.[1]).filter(Boolean);

	$("loggers").replaceChildren(...names.map((name) => {
		const o = document.createElement("option");
		o.value = name;
		return o;
	}));
}

/* ---- doing things ---- */

let toast_timer = 0;

function say(text)
{
	put($("toast"), text);
	$("toast").hidden = false;
	clearTimeout(toast_timer);
	toast_timer = setTimeout(() => { $("toast").hidden = true; }, TOAST_MS);
}

/* Does the person really want it? */
function sure(text, verb)
{
	const box = $("ask");

	put($("ask-text"), text);
	put($("ask-yes"), verb);
	box.returnValue = "";
	box.showModal();
	return new Promise((done) => {
		box.addEventListener("close", () => done(box.returnValue === "yes"), { once: true });
	});
}

async function level_set(event)
{
	event.preventDefault();
	const logger = $("logger").value.trim();
	const level = $("level").value;
	const name = here.name;
	const url = here_url() + `loglevel?logger_name=${enc(logger)}&level=${enc(level)}`;

	if (!logger || !LEVELS.includes(level))
		return;
	if (!await sure(`Set logger ${logger} to ${level} on node ${name}?`, "Set level"))
		return;
	try {
		const r = await ask(url);
		say(r.ok ? `${name}: ${explained(r.text)}` : refusal(r));
	} catch (e) {
		say(e.message);
	}
	view_load();
}

/* What the form describes, as POST and PUT want it. */
function form_node()
{
	const port = $("edit-port").value.trim();
	const host = $("edit-host").value.trim() || (port.includes("/") ? "localhost" : "127.0.0.1");

	return {
		name: $("edit-name").value,
		host,
		port: /^\d{1,5}$/.test(port) ? Number(port) : port,
	};
}

/* Opens the form for a new node (n undefined) or for that one. Already open
 * for it: what was typed stays. */
function edit_open(n)
{
	const box = $("edit-box");

	if (box.open && box.dataset.node === (n ? n.name : ""))
		return;
	put($("edit-title"), n ? `Edit node ${n.name}` : "Add a node");
	$("edit-name").value = n ? n.name : "";
	$("edit-host").value = n ? n.host : "";
	$("edit-port").value = n ? n.port : "";
	$("edit-error").hidden = true;
	box.dataset.node = n ? n.name : "";
	if (!box.open)
		box.showModal();
}

async function edit_save(event)
{
	event.preventDefault();
	const old = $("edit-box").dataset.node;
	const node = form_node();
	const path = old ? `api/nodes/${enc(old)}` : "api/nodes";

	try {
		const r = await ask(path, { method: old ? "PUT" : "POST", json: node });
		if (!r.ok)
			throw new Trouble(`${explained(r.text)} (${r.status})`);
		list.seen.delete("\0" + node.name);
		await list_load();
		$("edit-box").close("saved");
		say(`${node.name}: ${old ? "saved" : "added"}`);
		location.replace(`#/nodes/${enc(node.name)}`);
	} catch (e) {
		put($("edit-error"), e.message);
		$("edit-error").hidden = false;
	}
}

async function node_delete()
{
	const n = current();

	if (!n)
		return;
	if (!await sure(`Take node ${n.name} (${n.address}) off this frontend's list? `
			+ "The node itself is not touched.", "Delete"))
		return;
	try {
		const r = await ask(`api/nodes/${enc(n.name)}`, { method: "DELETE" });
		if (!r.ok)
			throw new Trouble(`${explained(r.text)} (${r.status})`);
		say(`${n.name}: deleted`);
		location.hash = "#/";
		list_load();
	} catch (e) {
		say(e.message);
	}
}

/* The clipboard needs a secure origin; elsewhere the old way is left. */
async function copy_of(e)
{
	try {
		await navigator.clipboard.writeText(e.textContent);
	} catch {
		const range = document.createRange();
		range.selectNodeContents(e);
		getSelection().removeAllRanges();
		getSelection().addRange(range);
		if (!document.execCommand("copy")) {
			say("The browser does not let this page copy; the text is selected.");
			return;
		}
		getSelection().removeAllRanges();
	}
	say("Copied.");
}

function theme_set(name)
{
	document.documentElement.dataset.theme = name;
	remember("theme", name);
	if ($("theme"))
		put($("theme"), "Theme: " + name);
}

function theme_next()
{
	const at = THEMES.indexOf(document.documentElement.dataset.theme);

	theme_set(THEMES[(at + 1) % THEMES.length]);
}

function wrap_set(on)
{
	$("wrap").checked = on;
	$("text").classList.toggle("wrap", on);
	remember("wrap", on ? "1" : "0");
}

/* ---- addresses: every view is a hash ---- */

/* #/  #/?f=FILTER  #/add  #/nodes/NAME/TAB?q=TEXT&every=5  #/nodes/NAME/edit
 * #/proxies/PROXY/nodes/NAME/TAB */
function parse_hash()
{
	const [path, query] = location.hash.slice(1).split("?", 2);
	const parts = path.split("/").filter(Boolean).map(dec);
	const args = new URLSearchParams(query ?? "");
	const nested = parts[0] === "proxies" && parts[2] === "nodes" && parts.length >= 4;
	const via = nested ? parts[1] : "";
	const [word, name, tab] = nested ? parts.slice(2) : parts;
	const is_node = word === "nodes" && Boolean(name);

	return {
		key: is_node ? via + "\0" + name : "",
		name: is_node ? name : "",
		via: is_node ? via : "",
		tab: TABS.find((t) => t.id === tab) ?? TABS[0],
		find: is_node ? args.get("q") ?? "" : "",
		every: Number([...$("every").options].find((o) => o.value === args.get("every"))?.value ?? 0),
		filter: is_node ? null : args.get("f") ?? "",
		box: word === "add" ? "add" : is_node && tab === "edit" ? "edit" : "",
	};
}

function address_of(h)
{
	const args = new URLSearchParams();

	if (!h.key)
		return "#/" + (list.filter ? "?f=" + enc(list.filter) : "");
	if (h.find)
		args.set("q", h.find);
	if (h.every)
		args.set("every", h.every);
	return (h.via ? `#/proxies/${enc(h.via)}` : "#") + `/nodes/${enc(h.name)}/${h.tab.id}`
		+ (args.size ? "?" + args : "");
}

/* The address follows what is typed, without filling the history. */
function address_keep()
{
	history.replaceState(null, "", address_of(here));
}

function boxes_route(to)
{
	if (to.box === "add")
		edit_open();
	else if (to.box === "edit" && current())
		edit_open(current());
	else if (to.box === "edit" && list.loaded)
		location.replace(address_of(here));
	else if ($("edit-box").open)
		$("edit-box").close("gone");
}

function route()
{
	const to = parse_hash();
	const same = to.key === here.key && to.tab === here.tab && view.path;

	Object.assign(here, {
		key: to.key, name: to.name, via: to.via, tab: to.tab,
		find: to.find, every: to.every,
	});
	if (to.filter !== null)
		list.filter = $("filter").value = to.filter;
	$("find").value = here.find;
	$("every").value = String(here.every);
	document.body.classList.toggle("open", Boolean(here.key));
	$("node").hidden = !here.key;
	list_draw();
	boxes_route(to);
	if (!here.key) {
		view.abort?.abort();
		clearTimeout(view.timer);
		view.path = "";
		return;
	}
	node_draw();
	tabs_draw();
	$("level-form").hidden = here.tab.id !== "loglevel";
	if (!same) {
		Object.assign(view, { text: null, trouble: "", facts: "", path: "" });
		$("secrets").checked = false;
		$("text").scrollTop = 0;
		view_load();
	} else {
		view_later();
	}
	text_draw();
	commands_draw();
}

/* The form's address is left when the form closes without saving. */
function edit_closed()
{
	if ($("edit-box").returnValue !== "saved" && parse_hash().box)
		location.replace(address_of(here));
	$("edit-box").returnValue = "";
}

/* ---- keys ---- */

function step(by)
{
	const links = [...$("nodes").querySelectorAll("tbody a")];
	const in_list = links.indexOf(document.activeElement);
	const from = in_list >= 0 ? in_list : links.findIndex((a) => a.ariaCurrent);
	const to = from < 0 ? 0 : Math.min(links.length - 1, Math.max(0, from + by));

	links[to]?.focus();
}

function go_tab(i)
{
	if (here.key && TABS[i]) {
		location.hash = $("tabs").children[i].hash;
		$("tabs").children[i].focus({ preventScroll: true });
	}
}

const search_box = () => here.key ? $("find") : $("filter");

function refresh()
{
	list.seen.forEach((s) => { s.at = 0; });
	list_load();
	view_load();
}

/* Esc: what was typed, then the box, then the node. */
function back()
{
	const box = document.activeElement;

	if (box?.type === "search" && box.value) {
		box.value = "";
		box.dispatchEvent(new Event("input"));
	} else if (box?.matches("input, select")) {
		box.blur();
	} else if (here.key) {
		location.hash = "#/";
	}
}

const KEYS = {
	"/": () => { search_box().focus(); search_box().select(); },
	j: () => step(1),
	k: () => step(-1),
	r: refresh,
	t: theme_next,
	w: () => wrap_set(!$("wrap").checked),
	c: () => here.key && copy_of($("text")),
	"?": () => $("help-box").showModal(),
};

function on_key(e)
{
	const typing = e.target.matches("input:not([type=checkbox]), select, textarea");

	if (e.ctrlKey || e.metaKey || e.altKey || document.querySelector("dialog[open]"))
		return;
	if (e.key === "Escape") {
		back();
	} else if (!typing && Object.hasOwn(KEYS, e.key)) {
		e.preventDefault();
		KEYS[e.key]();
	} else if (!typing && /^[1-9]$/.test(e.key)) {
		go_tab(Number(e.key) - 1);
	}
}

function on_tab_key(e)
{
	const at = TABS.indexOf(here.tab);
	const last = TABS.length - 1;
	const to = { ArrowRight: at + 1, ArrowLeft: at + last, Home: 0, End: last }[e.key];

	if (to === undefined)
		return;
	e.preventDefault();
	go_tab(to % TABS.length);
}

/* ---- start ---- */

function on(id, event, run)
{
	$(id).addEventListener(event, run);
}

function listen()
{
	addEventListener("hashchange", route);
	addEventListener("keydown", on_key);
	document.addEventListener("visibilitychange", () => {
		if (document.hidden)
			return;
		list_load();
		view_later();
	});
	on("tabs", "keydown", on_tab_key);
	on("filter", "input", () => {
		list.filter = $("filter").value;
		list_draw();
		if (!here.key)
			address_keep();
	});
	on("find", "input", () => {
		here.find = $("find").value;
		text_draw();
		address_keep();
	});
	on("every", "change", () => {
		here.every = Number($("every").value);
		address_keep();
		view_later();
	});
	on("skip", "click", (e) => { e.preventDefault(); $("main").focus(); });
	on("refresh", "click", refresh);
	on("secrets", "change", text_draw);
	on("wrap", "change", () => wrap_set($("wrap").checked));
	on("copy", "click", () => copy_of($("text")));
	for (const b of document.querySelectorAll("[data-copy]"))
		b.addEventListener("click", () => copy_of($(b.dataset.copy)));
	on("theme", "click", theme_next);
	on("help", "click", () => $("help-box").showModal());
	on("help-no", "click", () => $("help-box").close());
	on("ask-yes", "click", () => $("ask").close("yes"));
	on("ask-no", "click", () => $("ask").close(""));
	on("level-form", "submit", level_set);
	on("delete", "click", node_delete);
	on("edit-form", "submit", edit_save);
	on("edit-no", "click", () => $("edit-box").close(""));
	on("edit-box", "close", edit_closed);
}

theme_set(THEMES.find((t) => t === remembered("theme")) ?? "auto");

addEventListener("DOMContentLoaded", async () => {
	$("level").append(...LEVELS.map((l) => el("option", "", l)));
	$("level").value = "INFO";
	$("app").hidden = false;
	theme_set(document.documentElement.dataset.theme);
	wrap_set(remembered("wrap") !== "0");
	listen();
	route();
	await list_load();
	boxes_route(parse_hash());
});
