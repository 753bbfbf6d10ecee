/** An answer of Lambda's own, before or instead of the function's: the modelled error with its status. */
export class Refusal extends Error {
  constructor(
    readonly type: string,
    readonly status: number,
    message: string,
    /** Further members of the body. */
    readonly members: Readonly<Record<string, string>> = { Type: 'User' },
  ) {
    super(message);
    this.name = 'Refusal';
  }
}

export const functionNotFound = (arn: string): Refusal =>
  new Refusal('ResourceNotFoundException', 404, `Function not found: ${arn}`);

export const accessDenied = (principal: string, arn: string): Refusal =>
  new Refusal(
    'AccessDeniedException',
    403,
    `User: ${principal} is not authorized to perform: lambda:InvokeFunction on resource: ${arn} because no resource-based policy allows the lambda:InvokeFunction action`,
    {},
  );

export const tooManyRequests = (reason: string): Refusal =>
  new Refusal('TooManyRequestsException', 429, 'Rate Exceeded.', { Reason: reason, Type: 'User' });

export const requestTooLarge = (bytesMax: number): Refusal =>
  new Refusal('RequestTooLargeException', 413, `Request must be smaller than ${bytesMax} bytes for the InvokeFunction operation`);

export const invalidContent = (message: string): Refusal => new Refusal('InvalidRequestContentException', 400, message);
