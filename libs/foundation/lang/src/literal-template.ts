/**
 * A reference (`$name`, `${name}`, `$!name`, `$!{name}`) or a directive or comment (`#if`, `#{if}`, `#@macro`, `##`, `#*`, `#[[`).
 * `$5`, `a $ b` and `#1` are plain text in Velocity too.
 */
const VELOCITY = /\$!?\{?[A-Za-z_]|#[A-Za-z_{@#*[]/;

/** True when Velocity would print the template as it stands: it can be sent without an engine. */
export function isLiteralTemplate(template: string): boolean {
  return !VELOCITY.test(template);
}
