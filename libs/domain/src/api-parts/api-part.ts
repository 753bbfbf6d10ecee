/** What an API holds beside its tree of resources. The id is its own within the API and the kind of part. */
export interface ApiPart {
  readonly apiId: string;
  readonly id: string;
}

export const API_PART_KINDS = [
  'MODEL',
  'REQUEST_VALIDATOR',
  'AUTHORIZER',
  'GATEWAY_RESPONSE',
  'DOCUMENTATION_PART',
  'DOCUMENTATION_VERSION',
] as const;
export type ApiPartKind = (typeof API_PART_KINDS)[number];
