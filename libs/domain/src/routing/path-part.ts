/**
 * One segment of a resource's path:
 *
 *   pets        literal    [a-zA-Z0-9._:,-]+
 *   {id}        variable   matches one segment
 *   {proxy+}    greedy     matches the rest; nothing can stand below it
 *
 * Grammar: data-plane reference 2.2, tree constraints.
 */
import { badRequest } from '../errors.js';

const PATH_PART = /^(?:[a-zA-Z0-9._:,-]+|\{[a-zA-Z0-9._:-]+\+?\})$/;

export const isVariable = (pathPart: string): boolean => pathPart.startsWith('{');
export const isGreedy = (pathPart: string): boolean => pathPart.endsWith('+}');

/** Throws BadRequest unless the text can be a path part; returns it. */
export function checkPathPart(pathPart: string): string {
  if (pathPart === '') throw badRequest("Resource's path part must be specified");
  if (!PATH_PART.test(pathPart)) {
    throw badRequest(
      "Resource's path part only allow a-zA-Z0-9._-: or a valid greedy path variable and curly braces at the beginning and the end.",
    );
  }
  return pathPart;
}
