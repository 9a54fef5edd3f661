#!/usr/bin/env bash
# Guess:   the PNG that a page gets of a canvas (`toBlob`) has what shows the picture: IHDR, IDAT, IEND. Two browsers that
#          draw the same simple shapes write the same bytes.
# Truth:   of a page that came over HTTP, Firefox writes one part more, `deBG`: 16 hexadecimal digits. The same picture has
#          the same digits in the same session and others in another one, also where all pixels are the same. A page
#          without an address (about:blank) gets none.
# Version: Debian's firefox-esr 153.8.0, by playwright-core 1.64.1 over WebDriver BiDi. Source: seen, as printed below. The
#          name says that the part is ancillary, private and not to be copied by editors that do not know it (W3C PNG,
#          section 5.4, "Chunk naming conventions").
# So:      the page takes such parts out of what it draws before it sends it, and the server refuses pictures that have them.
set -euo pipefail

firefox=${FIREFOX:-/usr/bin/firefox-esr}
[ -x "$firefox" ] && command -v npm >/dev/null || {
  echo "error: install firefox-esr, nodejs and npm of Debian 12" >&2
  exit 1
}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"$firefox" --version
npm install --silent --no-audit --no-fund playwright-core@1.64.1 >/dev/null

cat >parts.mjs <<'JS'
import { createServer } from "node:http";
import { firefox } from "playwright-core";

const server = createServer((_, response) => response.writeHead(200, { "Content-Type": "text/html" }).end("<title>a page</title>"));
await new Promise((done) => server.listen(0, "127.0.0.1", done));
const address = `http://127.0.0.1:${server.address().port}/`;
const browser = await firefox.launch({ channel: "moz-firefox", executablePath: process.argv[2] });

/** The parts of a PNG with a red square, and the digits of that which nobody has asked for. */
async function draw(page) {
	const bytes = Buffer.from(await page.evaluate(async () => {
		const canvas = Object.assign(document.createElement("canvas"), { width: 64, height: 64 });
		const context = canvas.getContext("2d");
		context.fillStyle = "red";
		context.fillRect(0, 0, 32, 32);
		const blob = await new Promise((done) => canvas.toBlob(done, "image/png"));
		return [...new Uint8Array(await blob.arrayBuffer())];
	}));
	const found = { parts: [], digits: "", pixels: "" };
	for (let at = 8; at < bytes.length; at += 12 + bytes.readUInt32BE(at)) {
		const name = bytes.toString("latin1", at + 4, at + 8);
		const data = bytes.subarray(at + 8, at + 8 + bytes.readUInt32BE(at));
		found.parts.push(name);
		if (name === "deBG") found.digits = data.toString("latin1");
		if (name === "IDAT") found.pixels += data.toString("hex");
	}
	return found;
}

const seen = [];
for (const where of ["about:blank", address, address]) {
	const page = await (await browser.newContext()).newPage();
	if (where !== "about:blank") await page.goto(where);
	seen.push(await draw(page), await draw(page));
	console.log(where === address ? "over HTTP:  " : `${where}:`, ...seen.slice(-2).map(({ parts, digits }) => `${parts.join(" ")} ${digits.replace(/./g, "x")}`.trim()));
}
await browser.close();
server.close();

const [blank, , first, again, other] = seen;
const holds = {
	"a page without an address has none": blank.parts.join() === "IHDR,IDAT,IEND",
	"one that came over HTTP has a part of 16 hexadecimal digits": first.parts.join() === "IHDR,IDAT,deBG,IEND" && /^[0-9A-F]{16}$/.test(first.digits),
	"the same session writes the same digits": again.digits === first.digits,
	"another session writes others": other.digits !== first.digits,
	"and all pixels are the same": other.pixels === first.pixels && blank.pixels === first.pixels,
};
for (const [sentence, is] of Object.entries(holds)) console.log(is ? "ok     " : "CHANGED", sentence);
process.exit(Object.values(holds).every(Boolean) ? 0 : 1);
JS
timeout 120 node parts.mjs "$firefox"
