/** Makers of the rules most tables consist of. */
import type { Change, Operand, PatchRule } from './patch.js';

/** A property that can only be replaced. `read` turns the text into the property's value, or throws BadRequest. */
export function property<T, K extends keyof T & string>(path: string, name: K, read: (value: string) => T[K]): PatchRule<T> {
  return { path, replace: ({ value }) => setter(name, read(value)) };
}

/** Like `property`, and may also be added and removed. */
export function optionalProperty<T, K extends keyof T & string>(
  path: string,
  name: K,
  read: (value: string) => T[K],
  absent: T[K],
): PatchRule<T> {
  const write = ({ value }: Operand): Change<T> => setter(name, read(value));
  return { path, add: write, replace: write, remove: () => setter(name, absent) };
}

/** A list whose entries are named by the value: `add /authorizationScopes "read"`. Adding what is there changes nothing. */
export function valueList<T, K extends keyof T & string>(
  path: string,
  name: K & KeysWith<T, readonly string[]>,
  check: (value: string) => string = (value) => value,
): PatchRule<T> {
  return {
    path,
    add: ({ value }) => listChange(name, (list) => including(list, check(value))),
    remove: ({ value }) => listChange(name, (list) => list.filter((entry) => entry !== value)),
  };
}

/** A list whose entries are named by the path: `add /binaryMediaTypes/image~1png`. Replacing moves the entry to the end. */
export function keyList<T, K extends keyof T & string>(
  path: string,
  name: K & KeysWith<T, readonly string[]>,
  check: (value: string) => string = (value) => value,
): PatchRule<T> {
  return {
    path,
    add: ({ key }) => {
      const entry = check(key);
      return listChange(name, (list) => including(list, entry));
    },
    remove: ({ key }) => listChange(name, (list) => list.filter((entry) => entry !== key)),
    replace: ({ key, value }) => {
      const entry = check(value === '' ? key : value);
      return listChange(name, (list) =>
        including(
          list.filter((other) => other !== key && other !== entry),
          entry,
        ),
      );
    },
  };
}

/**
 * A map whose keys stand in the path. It becomes `null` when its last entry goes. `missing` makes the error for removing an
 * entry that is not there; with `strict`, replacing one is refused as well.
 */
export function mapEntry<T, V, K extends keyof T & string>(
  path: string,
  name: K & KeysWith<T, Readonly<Record<string, V>> | null>,
  rule: { readonly read: (key: string, value: string) => V; readonly missing: () => Error; readonly strict?: boolean },
): PatchRule<T> {
  const { read, missing, strict = false } = rule;
  const write =
    (mustExist: boolean) =>
    ({ key, value }: Operand): Change<T> => {
      const entry = read(key, value);
      return mapChange<T, V>(name, (map) => {
        if (mustExist && !Object.hasOwn(map, key)) throw missing();
        return { ...map, [key]: entry };
      });
    };
  return {
    path,
    add: write(false),
    replace: write(strict),
    remove: ({ key }) =>
      mapChange<T, V>(name, (map) => {
        if (!Object.hasOwn(map, key)) throw missing();
        const rest = Object.entries(map).filter(([other]) => other !== key);
        return rest.length === 0 ? null : Object.fromEntries(rest);
      }),
  };
}

/** Text for a nullable property: empty text is none. */
export const textOrNull = (value: string): string | null => (value === '' ? null : value);
/** Booleans in patches: anything but `true` is false (AWS). */
export const flag = (value: string): boolean => value === 'true';

/** Names of T's properties of type V. */
type KeysWith<T, V> = { [K in keyof T]: T[K] extends V ? K : never }[keyof T];

function setter<T, K extends keyof T>(name: K, value: T[K]): Change<T> {
  return (target) => ({ ...target, [name]: value });
}

// KeysWith has proven the types of these members; the compiler cannot carry that through T.
function listChange<T>(name: keyof T, change: (list: readonly string[]) => readonly string[]): Change<T> {
  return (target) => ({ ...target, [name]: change(target[name] as readonly string[]) });
}
function mapChange<T, V>(
  name: keyof T,
  change: (map: Readonly<Record<string, V>>) => Readonly<Record<string, V>> | null,
): Change<T> {
  return (target) => ({ ...target, [name]: change((target[name] ?? {}) as Readonly<Record<string, V>>) });
}

const including = (list: readonly string[], entry: string): readonly string[] => (list.includes(entry) ? list : [...list, entry]);
