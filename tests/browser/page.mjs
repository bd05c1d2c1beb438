/* page.mjs - the frontend's page in a real browser, cut off from the world
 * SPDX-License-Identifier: Apache-2.0
 *
 * page.mjs BASE-URL [NAME]: runs every check below, or that one, against a
 * frontend with at least one node of the engine's dialect and one `lmcache
 * server`. A line "ok NAME" or "not ok NAME: why" for each; exit 1 if one
 * failed or none ran. page.mjs --list prints the names.
 *
 * A request to another origin, a request that failed, an error on the console
 * and a refusal by the content security policy each fail the check that they
 * fell into, unless that check said before that it expects them.
 *
 * Environment: BROWSER_MODULES (where node_modules is, build/browser), CHROMIUM,
 * SCREENSHOTS (a directory: pictures for the documentation).
 */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

const modules = process.env.BROWSER_MODULES
	?? new URL("../../build/browser/", import.meta.url).pathname;
const load = createRequire(join(modules, "package.json"));

const [, , address, only] = process.argv;
const base = address === "--list" ? "http://localhost/" : address.replace(/\/*$/, "/");
const origin = new URL(base).origin;
const WAIT = 10000;		/* ms, for one thing to come true */
const CHECK_MS = 90000;		/* for one check */
const HOSTILE = "<img src=x onerror=\"window.owned=1\"> 'n' $(x)/%2f";
const POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; "
	+ "connect-src 'self'; img-src 'self'; frame-ancestors 'none'; "
	+ "base-uri 'none'; form-action 'none'";
const ARGS = [
	"--headless", "--no-sandbox", "--disable-gpu", "--disable-quic",
	"--no-first-run", "--disable-background-networking",
	"--disable-component-update", "--disable-sync",
];

/* ---- the watch ---- */

const seen = { bad: [], allowed: [] };

/* This check expects such trouble: a pattern over "what URL". */
const expect_trouble = (re) => seen.allowed.push(re);

function trouble(text)
{
	if (!seen.allowed.some((re) => re.test(text)))
		seen.bad.push(text);
}

async function watch(context)
{
	await context.route("**", (route) => {
		const url = route.request().url();
		if (new URL(url).origin === origin)
			return route.continue();
		trouble(`foreign ${url}`);
		return route.abort();
	});
	context.on("requestfailed", (r) => {
		const why = r.failure()?.errorText;
		if (why !== "net::ERR_ABORTED")
			trouble(`failed ${why} ${r.url()}`);
	});
	context.on("console", (m) => {
		if (m.type() === "error" || m.type() === "warning")
			trouble(`console ${m.text()} ${m.location().url}`);
	});
	context.on("weberror", (e) => trouble(`exception ${e.error().stack}`));
	await context.addInitScript(() => {
		addEventListener("securitypolicyviolation", (e) => {
			console.error(`policy ${e.violatedDirective} ${e.blockedURI}`);
		});
	});
}

/* ---- short words ---- */

async function get(path, init)
{
	const r = await fetch(base + path, { signal: AbortSignal.timeout(WAIT), ...init });

	return { status: r.status, text: await r.text(), headers: r.headers };
}

const send = (method, path, body) => get(path, {
	method,
	headers: { "Content-Type": "application/json" },
	body: body && JSON.stringify(body),
});

async function until(what, condition)
{
	const end = Date.now() + WAIT;

	for (;;) {
		if (await condition())
			return;
		assert.ok(Date.now() < end, `in vain waited until ${what}`);
		await new Promise((r) => setTimeout(r, 50));
	}
}

/* What a command line says, run by a shell. Not the synchronous call: some
 * checks serve what the command asks for. */
async function shell(command)
{
	const { stdout } = await promisify(execFile)("sh", ["-c", command], { timeout: WAIT });

	return stdout;
}

const url_of = (n) => `proxy2/${encodeURIComponent(n.name)}/`;
const hash_of = (n, rest = "") => `#/nodes/${encodeURIComponent(n.name)}${rest}`;

async function nodes_of_api()
{
	const tree = JSON.parse((await get("api/nodes")).text);

	return tree.nodes.flatMap((p) => p.children.map((c) => ({ ...c, proxy: p.name })))
		.filter((n) => n.proxy === "local_proxy");
}

/* The first node that speaks the engine's dialect, or lmcache server's. */
async function node_that(is_mp)
{
	for (const n of await nodes_of_api()) {
		const mp = (await get(url_of(n) + "healthcheck")).status === 200;
		if (mp === is_mp)
			return n;
	}
	throw new Error(`no node with${is_mp ? "" : "out"} /healthcheck`);
}

let context;

async function open(hash = "", media)
{
	const page = await context.newPage();

	page.setDefaultTimeout(WAIT);
	if (media)
		await page.emulateMedia(media);
	await page.goto(base + hash);
	return page;
}

const rows = (page) => page.locator("#nodes tbody tr");
const names = (page) => page.locator("#nodes tbody bdi").allTextContents();
const words = (page, where) => page.locator(where).textContent();
const text = (page) => words(page, "#text");
const tab_open = (page) => page.getByRole("tab", { selected: true }).textContent();
const squeezed = (s) => s.replace(/\s+/g, "");

/* The tab's answer as the browser got it, and what the page made of it. */
async function open_tab(n, tab, path)
{
	const page = await open();
	const wanted = new URL(url_of(n) + path, base).href;
	const answer = page.waitForResponse((r) => r.url() === wanted && r.ok());

	await page.goto(base + hash_of(n, "/" + tab));
	const body = await (await answer).text();
	await page.locator("#text").waitFor();
	return { page, body, shown: await text(page) };
}

/* A node that wishes us ill: markup in every answer. */
async function hostile_node()
{
	const server = createServer((q, a) => {
		const json = q.url.startsWith("/version");
		a.setHeader("Content-Type", json ? "application/json" : "text/html");
		a.setHeader("Set-Cookie", "owned=1");
		a.end(json ? JSON.stringify(HOSTILE) : `<script>window.owned=1</script>${HOSTILE}\n`);
	});

	await new Promise((done) => server.listen(0, "127.0.0.1", done));
	return server;
}

/* A port on which nobody listens. */
async function dead_port()
{
	const server = await hostile_node();
	const { port } = server.address();

	await new Promise((done) => server.close(done));
	return port;
}

/* ---- what is measured in the browser ---- */

/* Texts whose contrast to their background is under WCAG AA's 4.5. */
function pale_texts()
{
	const rgba = (s) => s.match(/[\d.]+/g).map(Number);
	const light = (c) => {
		const [r, g, b] = c.slice(0, 3).map((v) => {
			v /= 255;
			return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
		});
		return 0.2126 * r + 0.7152 * g + 0.0722 * b;
	};
	const behind = (e) => {
		for (; e; e = e.parentElement) {
			const c = rgba(getComputedStyle(e).backgroundColor);
			if (c.length === 3 || c[3] === 1)
				return c;
		}
		return [255, 255, 255];
	};
	const bad = [];

	for (const e of document.querySelectorAll("body *")) {
		const own = [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim());
		if (!(own || e.placeholder) || !e.checkVisibility())
			continue;
		const style = getComputedStyle(e, own ? null : "::placeholder");
		const [a, b] = [light(rgba(style.color)), light(behind(e))];
		const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
		if (ratio < 4.5)
			bad.push(`${e.tagName} "${e.textContent.slice(0, 30)}" ${ratio.toFixed(2)}`);
	}
	return bad;
}

/* ---- the checks ---- */

const checks = {
	async "the watch notices what it must"() {
		const page = await open();
		await page.evaluate(() => {
			const img = document.createElement("img");
			img.src = "http://192.0.2.1/x.png";
			const style = document.createElement("style");
			style.textContent = "body{}";
			document.body.append(img, style);
		});
		const has = (re) => seen.bad.some((t) => re.test(t));
		await until("policy and console trouble is seen", () =>
			has(/policy img-src http:..192\.0\.2\.1/) && has(/policy style-src/));
		await page.evaluate(() => fetch("nosuchpage"));
		await until("a 404 is seen", () => has(/console .*404.*nosuchpage/));
		seen.bad.length = 0;
	},

	async "the page's own policy is the strict one"() {
		const r = await get("");
		assert.equal(r.headers.get("content-security-policy"), POLICY);
		assert.equal(r.headers.get("x-content-type-options"), "nosniff");
	},

	async "every node is listed with its state and version"() {
		const nodes = await nodes_of_api();
		const page = await open();
		await until("all nodes are listed", async () => (await rows(page).count()) >= nodes.length);
		for (const n of nodes) {
			const row = rows(page).filter({ has: page.locator("bdi", { hasText: n.name }) }).first();
			const version = JSON.parse((await get(url_of(n) + "version")).text);
			await until(`${n.name} has its version`, async () =>
				(await row.locator(".c-version").textContent()) === version);
			await until(`${n.name} is healthy`, async () =>
				(await row.locator(".word").textContent()) === "healthy");
			assert.equal(await row.locator(".badge").isVisible(), /simulated/i.test(version));
		}
		assert.match(await words(page, "#summary"), /\d+ healthy/);
	},

	async "each tab shows the node's own text"() {
		const n = await node_that(false);
		const plain = { metrics: "metrics", threads: "threads", loglevel: "loglevel" };
		const json = { conf: "conf", meta: "meta", inference: "inference_info" };
		for (const [tab, path] of Object.entries(plain)) {
			const { page, body, shown } = await open_tab(n, tab, path);
			assert.ok(body.length > 100, `${path} is nearly empty`);
			assert.equal(shown, body, tab);
			await page.close();
		}
		for (const [tab, path] of Object.entries(json)) {
			const { page, body, shown } = await open_tab(n, tab, path);
			assert.equal(squeezed(shown), squeezed(body), tab);
			assert.equal(body, (await get(url_of(n) + path)).text, path);
			assert.ok(shown.split("\n").length > 3, `${tab} is not laid out`);
			await page.close();
		}
		const { page, body } = await open_tab(n, "env", "env");
		await page.getByLabel("show secrets").check();
		assert.equal(squeezed(await text(page)), squeezed(body));
	},

	async "lmcache server shows its configuration, and what it lacks is said"() {
		const n = await node_that(true);
		expect_trouble(/404 .*\/proxy2\/[^/]+\/(conf|meta|inference_info)$/);
		const page = await open(hash_of(n, "/conf"));
		await until("the configuration is shown", async () => /storage_manager/.test(await text(page)));
		await page.goto(base + hash_of(n, "/inference"));
		await until("the lack is said", async () =>
			/does not offer inference \(404\)/.test(await words(page, "#text-note")));
	},

	async "secrets are hidden until asked for"() {
		const n = await node_that(false);
		const page = await open();
		await page.route("**/env", (r) => r.fulfill({
			contentType: "text/plain",
			body: '{"HF_TOKEN":"hf_x\\"y","MY_API_KEY":"k","HOME":"/root","BIG":1e400,"N":Infinity}',
		}));
		await page.goto(base + hash_of(n, "/env"));
		await page.locator("#text").waitFor();
		const hidden = await text(page);
		assert.doesNotMatch(hidden, /hf_x|"k"/);
		assert.match(hidden, /"HOME": "\/root"/);
		assert.match(hidden, /"BIG": 1e400/);
		await page.getByLabel("show secrets").check();
		assert.match(await text(page), /"HF_TOKEN": "hf_x\\"y",\n {2}"MY_API_KEY": "k"/);
	},

	async "filters keep what matches, and only that"() {
		const nodes = await nodes_of_api();
		const n = await node_that(false);
		const page = await open();
		await until("the list is there", async () => (await rows(page).count()) >= nodes.length);
		await page.getByLabel("Filter nodes").fill(n.name.toUpperCase());
		for (const name of await names(page))
			assert.ok(name.includes(n.name), `${name} is shown`);
		assert.ok(page.url().includes("?f="));
		await page.getByLabel("Filter nodes").fill("no such node");
		await until("no row is left", async () => (await rows(page).count()) === 0);
		assert.match(await words(page, "#list-note"), /None of \d+ nodes/);

		await page.goto(base + hash_of(n, "/metrics"));
		await page.locator("#text").waitFor();
		await page.getByLabel("Find in text").fill("# type");
		const lines = (await text(page)).split("\n");
		assert.ok(lines.length > 5);
		assert.ok(lines.every((l) => /# TYPE/.test(l)));
		assert.match(await words(page, "#found"), /^\d+ of \d+ lines$/);
		assert.equal(parseInt(await words(page, "#found"), 10), lines.length);
		assert.equal(await page.locator("#text mark").count(), lines.length);

		await page.goto(base + hash_of(n, "/threads?q=MainThread"));
		await page.locator("#text").waitFor();
		assert.match(await text(page), /^Thread: <_?MainThread\(MainThread[^]*Stack trace:\n {2}File/);
		assert.doesNotMatch(await text(page), /Total threads/);
	},

	async "a log level is set after a question, and read back"() {
		const n = await node_that(false);
		const all = (await get(url_of(n) + "loglevel")).text;
		const [, logger, level] = /^(lmcache\S*): (\w+)$/m.exec(all);
		const other = level === "DEBUG" ? "WARNING" : "DEBUG";
		const told = async () => (await get(`${url_of(n)}loglevel?logger_name=${logger}`)).text;
		const page = await open(hash_of(n, "/loglevel"));
		const set = async (to, answer) => {
			await page.getByLabel("Logger", { exact: true }).fill(logger);
			await page.getByLabel("Level", { exact: true }).selectOption(to);
			await page.getByRole("button", { name: "Set level" }).click();
			const box = page.getByRole("dialog");
			const question = `Set logger ${logger} to ${to} on node ${n.name}?`;
			assert.ok((await box.textContent()).includes(question), question);
			await box.getByRole("button", { name: answer }).click();
		};
		assert.deepEqual(await page.locator("#level option").allTextContents(),
			["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL", "NOTSET"]);
		await set(other, "Cancel");
		assert.equal(await told(), `${logger}: ${level}`);
		await set(other, "Set level");
		await until("the page shows the new level", async () =>
			(await text(page)).includes(`\n${logger}: ${other}`));
		assert.equal(await told(), `${logger}: ${other}`);
		assert.match(await words(page, "#toast"), /Set .* level to/);
		await set(level, "Set level");
		await until("the page shows the old level", async () =>
			(await text(page)).includes(`\n${logger}: ${level}`));
	},

	async "a hostile node is added, shown as text only, edited and deleted"() {
		const server = await hostile_node();
		const { port } = server.address();
		const page = await open("#/add");
		try {
			await page.getByLabel("Name").fill(HOSTILE);
			await page.getByLabel("Port, or path of its socket").fill(String(port));
			await page.getByRole("button", { name: "Save" }).click();
			await until("the node's page is shown", async () =>
				(await words(page, "#node-name")) === HOSTILE);
			assert.equal((await nodes_of_api()).filter((n) => n.name === HOSTILE).length, 1);
			await until("its version is shown as text", async () =>
				(await words(page, "#node-facts")).includes(HOSTILE));
			await until("its answer is shown as text", async () =>
				(await text(page)) === `<script>window.owned=1</script>${HOSTILE}\n`);
			assert.match(await page.title(), /<img src=x/);

			const curl = await words(page, "#cmd-curl");
			assert.equal(await shell(curl), await text(page));
			const lmc = await words(page, "#cmd-lmc");
			const argv = await shell(lmc.replace(/^lmc/, "printf '%s\\n'"));
			assert.equal(argv, `metrics\n-n\n${HOSTILE}\n--via\n${origin}\n`);

			await page.getByRole("button", { name: "Delete" }).click();
			assert.match(await page.getByRole("dialog").textContent(), /Take node <img src=x/);
			await page.getByRole("dialog").getByRole("button", { name: "Cancel" }).click();
			assert.equal((await nodes_of_api()).filter((n) => n.name === HOSTILE).length, 1);

			await page.getByRole("link", { name: "Edit" }).click();
			assert.equal(await page.getByLabel("Name").inputValue(), HOSTILE);
			await page.getByLabel("Name").fill("tamed");
			await page.getByRole("button", { name: "Save" }).click();
			await until("the new name is shown", async () =>
				(await words(page, "#node-name")) === "tamed");
			await page.getByRole("button", { name: "Delete" }).click();
			await page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
			await until("the list is back", () => page.locator("#node").isHidden());
			await until("it is off the list", async () => !(await names(page)).includes("tamed"));
			assert.ok(!(await nodes_of_api()).some((n) => n.name === "tamed" || n.name === HOSTILE));
			assert.equal(await page.evaluate(() => window.owned), undefined);
			assert.equal(await page.evaluate(() => document.cookie), "");
			assert.equal(await page.locator("main img, main script, dialog img").count(), 0);
		} finally {
			await send("DELETE", "api/nodes/" + encodeURIComponent(HOSTILE));
			await send("DELETE", "api/nodes/tamed");
			server.close();
		}
	},

	async "what the frontend refuses is shown in its words"() {
		const n = await node_that(false);
		const page = await open("#/add");
		expect_trouble(/status of 4(00|09) .*\/api\/nodes$/);
		await page.getByLabel("Name").fill(n.name);
		await page.getByLabel("Port, or path of its socket").fill("7");
		const answer = page.waitForResponse((r) => r.request().method() === "POST");
		await page.getByRole("button", { name: "Save" }).click();
		const { detail } = await (await answer).json();
		await until("the detail is shown", async () =>
			(await words(page, "#edit-error")).includes(detail));
		assert.ok(detail.length > 5);

		expect_trouble(/403 .*\/env$/);
		await page.route("**/env", (r) => r.fulfill({
			status: 403, json: { detail: "GET /env needs the role admin" },
		}));
		await page.goto(base + hash_of(n, "/env"));
		await until("the refusal is shown", async () =>
			/Not allowed \(403\): GET \/env needs the role admin/
				.test(await words(page, "#text-note")));
	},

	async "loading, empty, a dead node and a lost frontend look different"() {
		const n = await node_that(false);
		const page = await open();
		const note = () => page.locator("#text-note").textContent();
		let free;
		const held = new Promise((done) => { free = done; });
		await page.route("**/meta", async (r) => { await held; await r.fulfill({ body: "" }); });
		await page.goto(base + hash_of(n, "/meta"));
		assert.match(await note(), /Loading metadata/);
		free();
		await until("it is called empty", async () => /nothing in it/.test(await note()));

		expect_trouble(/(404|50[24]) .*\/proxy2\/zz-dead\//);
		await send("POST", "api/nodes", { name: "zz-dead", host: "127.0.0.1", port: await dead_port() });
		try {
			await page.goto(base + "#/nodes/zz-dead/metrics");
			await until("the node is called out of reach", async () =>
				/cannot be reached \(502\)/.test(await note()));
			const row = rows(page).filter({ hasText: "zz-dead" });
			await until("the list calls it out of order", async () =>
				/^(down|failing)$/.test(await row.locator(".word").textContent()));
			assert.equal((await names(page))[0], "zz-dead");
			assert.match(await words(page, "#summary"), /^1 (down|failing)/);
		} finally {
			await send("DELETE", "api/nodes/zz-dead");
		}

		expect_trouble(/ERR_FAILED/);
		await page.route("**/api/nodes", (r) => r.abort());
		await page.keyboard.press("r");
		await until("the alarm is raised", async () =>
			/frontend cannot be reached/.test(await words(page, "#alarm")));
		assert.ok(await page.locator("#alarm").isVisible());
	},

	async "every view has an address, and Back works"() {
		const n = await node_that(false);
		const page = await open(hash_of(n, "/threads?q=main&every=60"));
		await page.locator("#text").waitFor();
		assert.equal(await words(page, "#node-name"), n.name);
		assert.equal(await tab_open(page), "Threads");
		assert.equal(await page.getByLabel("Find in text").inputValue(), "main");
		assert.equal(await page.locator("#every").inputValue(), "60");
		await page.getByRole("tab", { name: "Metadata" }).click();
		await until("the address follows", () => page.url().endsWith("/meta"));
		await page.goBack();
		await until("the tab is back", async () =>
			(await tab_open(page)) === "Threads");
		await page.getByRole("link", { name: "LMCache nodes" }).click();
		await until("the list is back", () => page.locator("#node").isHidden());
	},

	async "a node of another frontend is reached through it"() {
		const n = await node_that(false);
		const page = await open();
		const asked = [];
		const child = { name: n.name, host: "h", port: 1, proxy_id: "edge 1" };
		await page.route("**/api/nodes", (r) => r.fulfill({
			json: { nodes: [{ name: "edge 1", is_proxy: true, children: [child] }] },
		}));
		await page.route("**/proxy2/edge%201/**", (r) => {
			asked.push(new URL(r.request().url()).pathname);
			return r.fulfill({ body: "hello" });
		});
		await page.goto(base + `#/proxies/edge%201/nodes/${encodeURIComponent(n.name)}/threads`);
		await until("its text is shown", async () => (await text(page)) === "hello");
		const path = new URL(`proxy2/edge%201/proxy2/${encodeURIComponent(n.name)}/`, base);
		assert.ok(asked.includes(path.pathname + "threads"), asked.join());
		await until("its version is asked", () => asked.includes(path.pathname + "version"));
		assert.equal(await words(page, "#cmd-curl"), `curl -sS ${path.href}threads`);
		assert.equal(await words(page, "#cmd-lmc"),
			`lmc threads -n 'edge 1/${n.name}' --via ${origin}`);
		assert.ok(await page.getByRole("button", { name: "Delete" }).isHidden());
	},

	async "frontends and registries are shown, and who of them does not answer"() {
		const page = await open();
		const child = (name, state) => ({ name, host: "h", port: 1, state });
		const since = "2026-11-28T16:00:00.000Z";
		const LONG = "proxy_192.168.100.100_18000/proxy_192.168.100.101_18000";
		await page.route("**/proxy2/**", (r) => r.fulfill({ body: "hello" }));
		await page.route("**/api/nodes", (r) => r.fulfill({ json: {
			nodes: [
				{ name: "local_proxy", is_proxy: true, children: [child("w", "healthy")] },
				{ name: LONG, host: "10.0.0.1", port: 8000, is_proxy: true, state: "healthy",
					source: "etcd://e/lmc", children: [child("w", "healthy")] },
				{ name: "rack2", host: "10.0.0.2", port: 8000, is_proxy: true, state: "down",
					source: "etcd://e/lmc", stale_since: since, why: HOSTILE,
					children: [child("w", "unknown")] },
			],
			sources: [{ source: "etcd://e/lmc", entries: 2, bad: 1, stale: true, why: "no answer" }],
			left_out: 7,
		} }));
		await page.reload();
		const box = page.locator("#fronts");
		await until("the summary is there", async () => (await words(page, "#fronts summary"))
			=== "2 frontends · 1 stale · 1 registry · 1 silent · 7 nodes over the limits are left out");
		assert.ok(await box.locator("table").isHidden());
		await box.locator("summary").click();
		assert.equal(await box.locator("tbody tr").count(), 2);
		const rack2 = box.locator("tbody tr").nth(1);
		assert.ok((await rack2.textContent()).includes(`${HOSTILE} since 2026-11-28 16:00 UTC`));
		assert.equal(await rack2.locator(".word").textContent(), "stale");
		assert.match(await box.locator("li").textContent(),
			/^etcd:\/\/e\/lmc: 2 named, 1 left out, does not tell now no answer$/);
		/* its node is not shown as if it were well */
		assert.deepEqual(await page.locator("#nodes tbody .word").allTextContents(),
			["stale", "healthy", "healthy"]);
		await page.setViewportSize({ width: 360, height: 720 });
		assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 360);
		await rack2.click();
		await until("only its node is listed", async () => (await rows(page).count()) === 1);
		/* one of three of a name is opened by its frontend's */
		await page.goto(base + "#/nodes/w/threads");
		await until("ours is called by its whole name", async () => (await words(page, "#cmd-lmc"))
			=== `lmc threads -n local_proxy/w --via ${origin}`);
		assert.equal(await words(page, "#cmd-curl"),
			`curl -sS ${new URL("proxy2/local_proxy/proxy2/w/threads", base).href}`);
	},

	async "the keyboard does it all"() {
		const nodes = await nodes_of_api();
		const page = await open();
		const key = (k) => page.keyboard.press(k);
		const focus = () => page.evaluate(() =>
			document.activeElement.id || document.activeElement.textContent);
		await until("the list is there", async () => (await rows(page).count()) >= nodes.length);
		await until("no state is unknown", async () =>
			!(await page.locator("#nodes tbody .word").allTextContents()).includes("unknown"));
		const order = await names(page);
		await key("j");
		assert.equal(await focus(), order[0]);
		await key("j");
		assert.equal(await focus(), order[1]);
		await key("k");
		assert.equal(await focus(), order[0]);
		assert.notEqual(await page.evaluate(() =>
			getComputedStyle(document.activeElement).outlineStyle), "none");
		await key("Enter");
		await until("the node is open", async () => (await words(page, "#node-name")) === order[0]);
		await page.locator("#text").waitFor();
		await key("2");
		await until("the second tab is open", async () =>
			(await tab_open(page)) === "Threads");
		await key("ArrowRight");
		await until("the next tab is open", async () =>
			(await tab_open(page)) === "Log levels");
		await key("/");
		assert.equal(await focus(), "find");
		await page.keyboard.type("rj");
		assert.equal(await page.getByLabel("Find in text").inputValue(), "rj");
		await key("Escape");
		assert.equal(await page.getByLabel("Find in text").inputValue(), "");
		await key("Escape");
		const again = page.waitForResponse((r) => r.url().endsWith("/loglevel"));
		await key("r");
		await again;
		await key("?");
		assert.ok(await page.getByRole("dialog", { name: "Keys" }).isVisible());
		await key("Escape");
		assert.ok(await page.getByRole("dialog", { name: "Keys" }).isHidden());
		await key("w");
		assert.equal(await page.locator("#text").evaluate((e) =>
			getComputedStyle(e).whiteSpace), "pre");
		await key("t");
		assert.equal(await page.locator("html").getAttribute("data-theme"), "light");
		await key("t");
		assert.equal(await page.locator("body").evaluate((e) => getComputedStyle(e).colorScheme), "dark");
		await page.reload();
		assert.equal(await page.locator("html").getAttribute("data-theme"), "dark");
		await key("Escape");
		await until("the list is back", () => page.locator("#node").isHidden());
		await page.evaluate(() => localStorage.clear());
	},

	async "it refreshes by itself when told to, and not otherwise"() {
		const n = await node_that(false);
		const page = await open();
		let asked = 0;
		await page.route("**/threads", (r) => r.fulfill({ body: `answer ${++asked}` }));
		await page.goto(base + hash_of(n, "/threads"));
		await until("the first answer is shown", async () => (await text(page)) === "answer 1");
		await page.waitForResponse((r) => r.url().endsWith("/api/nodes"));
		assert.equal(asked, 1);
		await page.locator("#every").selectOption("2");
		assert.match(page.url(), /every=2/);
		await until("the third answer is shown", async () => (await text(page)) === "answer 3");
	},

	async "the text and the commands can be copied"() {
		const n = await node_that(false);
		const page = await open(hash_of(n, "/conf"));
		await context.grantPermissions(["clipboard-read", "clipboard-write"], { origin });
		const pasted = () => page.evaluate(() => navigator.clipboard.readText());
		await page.locator("#text").waitFor();
		await page.getByRole("button", { name: "Copy" }).first().click();
		await until("the text is on the clipboard", async () => (await pasted()) === (await text(page)));
		await page.locator("[data-copy=cmd-curl]").click();
		await until("the command is on the clipboard", async () =>
			/^curl -sS .*\/conf$/.test(await pasted()));
	},

	async "it fits 360 pixels and keeps its contrast in both themes"() {
		const n = await node_that(false);
		for (const colorScheme of ["light", "dark"])
			for (const width of [360, 1280])
				for (const hash of ["", hash_of(n, "/metrics?q=total"), hash_of(n, "/loglevel"), "#/add"]) {
					const page = await open("", { colorScheme, reducedMotion: "reduce" });
					await page.setViewportSize({ width, height: 720 });
					await page.goto(base + hash);
					await page.locator(hash === "#/add" ? "#edit-box" : hash ? "#text" : "#nodes").waitFor();
					const where = `${hash} ${width} ${colorScheme}`;
					assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), width, where);
					assert.deepEqual(await page.evaluate(pale_texts), [], where);
					await page.close();
				}
	},

	async "it is small, and says something without JavaScript"() {
		const page = await open();
		const size = await page.evaluate(() => performance.getEntries()
			.filter((e) => e.encodedBodySize && !/\/(api|proxy2)\//.test(e.name))
			.reduce((sum, e) => sum + e.encodedBodySize, 0));
		assert.ok(size > 5000 && size < 20000, `${size} bytes`);
		const plain = await browser_of({ javaScriptEnabled: false });
		try {
			const p = await plain.context.newPage();
			await p.goto(base);
			assert.match(await p.locator("body").innerText(), /This page needs JavaScript/);
			await p.getByRole("link", { name: "api/nodes" }).click();
			assert.match(await p.locator("body").innerText(), /local_proxy/);
		} finally {
			await plain.close();
		}
	},
};

/* ---- pictures ---- */

/* One node more, which is down: that is what the list is for. */
async function pictures(dir)
{
	const n = await node_that(false);
	const spare = { name: "demo_spare", host: "127.0.0.1", port: await dead_port() };
	const shot = async (name, hash, width, colorScheme, ready) => {
		const page = await open("", { colorScheme });
		await page.setViewportSize({ width, height: width < 500 ? 720 : 640 });
		await page.goto(base + hash);
		await page.locator(ready).first().waitFor();
		await until("all but one version is known", async () => {
			const cells = await page.locator("tbody .c-version").allTextContents();
			return cells.filter((c) => !c).length === 1;
		});
		await page.screenshot({ path: join(dir, name + ".png") });
		await page.close();
	};

	await send("POST", "api/nodes", spare);
	await shot("page-light", "", 1280, "light", "#nodes tbody tr");
	await shot("page-dark", hash_of(n, "/threads"), 1280, "dark", "#text");
	await shot("node-metrics", hash_of(n, "/metrics?q=lmcache%3A"), 1280, "light", "#text mark");
	await shot("narrow", hash_of(n, "/loglevel"), 360, "light", "#text");
	await send("DELETE", "api/nodes/demo_spare");
}

/* ---- run ---- */

async function browser_of(options)
{
	const dir = mkdtempSync(join(tmpdir(), "lmc-page-"));
	const made = await load("playwright-core").chromium.launchPersistentContext(dir, {
		executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
		headless: true, args: ARGS, viewport: { width: 1280, height: 720 }, ...options,
	});

	await watch(made);
	return {
		context: made,
		async close() {
			await made.close();
			rmSync(dir, { recursive: true, force: true });
		},
	};
}

async function run_check(name, check)
{
	seen.bad.length = seen.allowed.length = 0;
	const late = new Promise((_, no) => {
		setTimeout(no, CHECK_MS, new Error("took too long")).unref();
	});

	try {
		await Promise.race([check(), late]);
		assert.deepEqual(seen.bad, [], "trouble in the browser");
		console.log(`ok ${name}`);
		return 0;
	} catch (e) {
		console.log(`not ok ${name}: ${e.stack}\n${seen.bad.join("\n")}`);
		return 1;
	} finally {
		for (const page of context.pages().slice(1))
			await page.close();
	}
}

async function run_all()
{
	const browser = await browser_of({});
	let ran = 0, failed = 0;

	context = browser.context;
	for (const [name, check] of Object.entries(checks)) {
		if (only && name !== only)
			continue;
		ran++;
		failed += await run_check(name, check);
	}
	seen.allowed = [/./];
	if (process.env.SCREENSHOTS)
		await pictures(process.env.SCREENSHOTS);
	await browser.close();
	return ran > 0 && failed === 0;
}

if (address === "--list")
	console.log(Object.keys(checks).join("\n"));
else
	process.exit(await run_all() ? 0 : 1);
