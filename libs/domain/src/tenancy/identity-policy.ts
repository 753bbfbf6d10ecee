/** What a principal of a tenant may call: there is no IAM beside Gatehouse, so each has one document of its own here. */
export interface IdentityPolicy {
  /** `arn:aws:iam::{account}:user/{name}`. */
  readonly principalArn: string;
  /** JSON text, as it was given. */
  readonly document: string;
  /** Where APIs are that the principal calls, besides those of its own tenant; `null`: nowhere else. */
  readonly region: string | null;
}

/** Of the principal that comes with a tenant: it makes what is called, and may call it. */
export const ADMINISTRATOR_DOCUMENT = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}';
