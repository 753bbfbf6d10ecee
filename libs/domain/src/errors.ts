/**
 * A refusal of the management API: AWS's exception name, its status, and the message an AWS user would expect.
 * Thrown by domain and handlers, rendered in one place (control/wire).
 */
export class ApiError extends Error {
  constructor(
    readonly type: string,
    readonly status: number,
    message: string,
    /** Further modelled members of the error body, e.g. `resourceType`. */
    readonly members: Readonly<Record<string, unknown>> = {},
  ) {
    super(message);
    this.name = 'ApiError';
  }
}

export const badRequest = (message: string): ApiError => new ApiError('BadRequestException', 400, message);
export const notFound = (message: string): ApiError => new ApiError('NotFoundException', 404, message);
export const conflict = (message: string): ApiError => new ApiError('ConflictException', 409, message);
export const limitExceeded = (message: string): ApiError => new ApiError('LimitExceededException', 429, message);
export const validationError = (message: string): ApiError => new ApiError('ValidationException', 400, message);
