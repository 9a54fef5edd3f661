// Prints each test as a line, failures in full, and the totals as the last line.
export default async function* report(events) {
	let passed = 0;
	let failed = 0;
	for await (const { type, data } of events) {
		if (data?.skip !== undefined) continue;
		if (type === "test:pass") {
			passed += 1;
			yield `ok      ${data.name} (${Math.round(data.details.duration_ms)} ms)\n`;
		} else if (type === "test:fail") {
			failed += 1;
			const { cause } = data.details.error;
			yield `FAILED  ${data.name}\n${cause?.stack ?? cause ?? data.details.error}\n`;
		} else if (type === "test:stdout" || type === "test:stderr") {
			yield data.message;
		}
	}
	yield `${passed} passed, ${failed} failed\n`;
}
