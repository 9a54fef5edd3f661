/** Has the fields for messages grow with their lines, in browsers that do not do that by themselves. */

function grow(field) {
	field.style.height = "";
	const { scrollHeight, clientHeight, offsetHeight } = field;
	if (scrollHeight > clientHeight) field.style.height = `${scrollHeight + offsetHeight - clientHeight}px`;
}

// What is sent, edited or taken up again changes them, too, and comes with one of these.
for (const type of ["input", "keyup", "click", "focusin"]) {
	addEventListener(type, () => requestAnimationFrame(() => document.querySelectorAll("textarea").forEach(grow)), true);
}
