import { badRequest } from '../errors.js';

/** The models every new API has. Others cannot be created yet, so no other name is known. */
const DEFAULT_MODELS: readonly string[] = ['Empty', 'Error'];

/** Throws BadRequest unless the API has a model of that name; returns it. */
export function checkModelName(name: string): string {
  if (!DEFAULT_MODELS.includes(name)) throw badRequest(`Invalid model identifier specified: ${name}`);
  return name;
}

export function checkModels(models: Readonly<Record<string, string>>): void {
  Object.values(models).forEach(checkModelName);
}
