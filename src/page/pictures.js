/**
 * Pictures before they are sent: drawn anew, so that nothing is left of where and with what they were taken, and small enough to be
 * seen at once; and a smaller one of each to be shown in the log.
 */

/** Pixels on the longer side of what is sent, and of what the log shows. */
const SIDE_MAX = 2560;
const THUMB_SIDE_MAX = 480;
const QUALITY = 0.85;
/** The kinds that are drawn anew, and as what. */
const DRAWN = { "image/jpeg": "image/jpeg", "image/png": "image/png", "image/webp": "image/webp", "image/bmp": "image/png", "image/avif": "image/jpeg", "image/heic": "image/jpeg", "image/heif": "image/jpeg" };

/** The parts of a PNG that show it. */
const PNG_PARTS = new Set(["IHDR", "PLTE", "tRNS", "cHRM", "gAMA", "iCCP", "sRGB", "IDAT", "IEND"]);

/** A picture without what a browser adds that shows nothing: Firefox writes a number into PNGs by which it could be known again. */
async function bare(blob) {
	if (blob?.type !== "image/png") return blob;
	const bytes = await blob.arrayBuffer();
	const view = new DataView(bytes);
	const kept = [bytes.slice(0, 8)];
	for (let at = 8, end; at + 12 <= bytes.byteLength; at = end) {
		end = at + 12 + view.getUint32(at);
		if (PNG_PARTS.has(String.fromCharCode(...new Uint8Array(bytes, at + 4, 4)))) kept.push(bytes.slice(at, end));
	}
	return new Blob(kept, { type: blob.type });
}

function drawn(bitmap, side, type) {
	const scale = Math.min(1, side / Math.max(bitmap.width, bitmap.height));
	const canvas = document.createElement("canvas");
	canvas.width = Math.max(1, Math.round(bitmap.width * scale));
	canvas.height = Math.max(1, Math.round(bitmap.height * scale));
	canvas.getContext("2d").drawImage(bitmap, 0, 0, canvas.width, canvas.height);
	return new Promise((resolve) => canvas.toBlob(resolve, type, QUALITY)).then(bare);
}

const NAMES = { "image/jpeg": "jpg", "image/png": "png", "image/webp": "webp" };
const renamed = (name, type) => (NAMES[type] ? name.replace(/(\.[^./]*)?$/, `.${NAMES[type]}`) : name);

/**
 * What is sent for a file: `{blob, name, thumb}`. What is no picture that this browser can draw is sent as it is; the server refuses
 * pictures that say where they were taken. A moving GIF would stand still: it is sent as it is, with a thumbnail.
 */
export async function prepared(file) {
	const isMoving = file.type === "image/gif";
	const as = DRAWN[file.type];
	if (!as && !isMoving) return { blob: file, name: file.name };
	const bitmap = await createImageBitmap(file).catch(() => null);
	if (!bitmap) return { blob: file, name: file.name };
	try {
		const blob = isMoving ? file : await drawn(bitmap, SIDE_MAX, as);
		const isLarge = Math.max(bitmap.width, bitmap.height) > THUMB_SIDE_MAX;
		const thumb = isLarge ? await drawn(bitmap, THUMB_SIDE_MAX, as === "image/png" ? as : "image/jpeg") : null;
		if (!blob) return { blob: file, name: file.name };
		return { blob, name: isMoving ? file.name : renamed(file.name, blob.type), thumb };
	} finally {
		bitmap.close();
	}
}
