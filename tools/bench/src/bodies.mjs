// What is asked and answered, the same for every contender.

export const ITEM = '{"id":1,"name":"Rex","type":"dog","price":249.99}';
/** 1 KB of JSON, sent and answered. */
export const NOTE = `{"note":"${'x'.repeat(1024 - 11)}"}`;
/** The most a payload of API Gateway may have. */
export const STREAMED_BYTES = 10 * 1024 * 1024;
