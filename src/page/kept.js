/** For how long a room keeps what is said. */
import { locale, t } from "/words.js";

const UNITS = [["day", 86_400_000], ["hour", 3_600_000], ["minute", 60_000], ["second", 1_000]];

/** For how long a room keeps what is said, for those inside; empty if for ever. */
export function keptFor({ durable, kept: { ms, records, bytes } }) {
	const amount = (value, unit) => value.toLocaleString(locale, { style: "unit", unit, unitDisplay: "long" });
	const [unit, length] = UNITS.find(([, length]) => ms % length === 0) ?? UNITS.at(-1);
	const said = [
		durable === "memory" && t("kept.memory"),
		ms && t("kept.for", { time: amount(Math.max(1, Math.round(ms / length)), unit) }),
		records && t("kept.records", { n: records }),
		bytes && t("kept.bytes", { size: amount(Math.max(1, Math.round(bytes / 1_000)), "kilobyte") }),
	];
	return said.filter(Boolean).join(" ");
}
