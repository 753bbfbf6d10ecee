// What is asked and how: the API of the steps as an OpenAPI document, and bodies and templates as people write them.
import { ITEM } from '../bodies.mjs';

/** A pet shop's order, 1 KB of JSON. */
export const ORDER = JSON.stringify({
  id: 4711,
  customer: {
    name: 'Ada Lovelace',
    mail: 'ada@example.com',
    address: { street: '12 St James Square', city: 'London', zip: 'SW1Y 4JH' },
  },
  currency: 'EUR',
  isGift: false,
  items: Array.from({ length: 8 }, (_, index) => ({
    sku: `dog-${index}`,
    name: `A toy for dogs of size ${index}`,
    count: index + 1,
    price: 9.99 + index,
    tags: ['toy', 'dog'],
  })),
  note: 'Ring twice.',
});

const ORDER_MODEL = {
  type: 'object',
  required: ['id', 'customer', 'items'],
  properties: {
    id: { type: 'integer', minimum: 1 },
    customer: { $ref: '#/components/schemas/Customer' },
    currency: { type: 'string', enum: ['EUR', 'USD', 'GBP'] },
    isGift: { type: 'boolean' },
    items: {
      type: 'array',
      minItems: 1,
      items: {
        type: 'object',
        required: ['sku', 'count', 'price'],
        properties: {
          sku: { type: 'string', pattern: '^[a-z]+-[0-9]+$' },
          name: { type: 'string', maxLength: 100 },
          count: { type: 'integer', minimum: 1, maximum: 100 },
          price: { type: 'number', minimum: 0 },
          tags: { type: 'array', items: { type: 'string' } },
        },
      },
    },
    note: { type: 'string' },
  },
};

const CUSTOMER_MODEL = {
  type: 'object',
  required: ['name', 'mail'],
  properties: {
    name: { type: 'string', minLength: 1 },
    mail: { type: 'string', pattern: '^[^@]+@[^@]+$' },
    address: { type: 'object', properties: { street: { type: 'string' }, city: { type: 'string' }, zip: { type: 'string' } } },
  },
};

/** Members picked out, a list mapped, the context named. */
const REQUEST_TEMPLATE = `#set($order = $input.path('$'))
{
  "orderId": $order.id,
  "customer": "$util.escapeJavaScript($order.customer.name)",
  "city": "$order.customer.address.city",
  "caller": "$context.identity.sourceIp",
  "requestId": "$context.requestId",
  "lines": [
#foreach($item in $order.items)
    {"sku": "$item.sku", "count": $item.count, "price": $item.price}#if($foreach.hasNext),#end

#end
  ]
}`;
const RESPONSE_TEMPLATE = `#set($order = $input.path('$'))
{
  "order": $order.orderId,
  "for": "$order.customer",
  "count": $order.lines.size(),
  "first": $input.json('$.lines[0]')
}`;

/** The guide's PetStore: a pet that is added, and what is answered. */
export const PET = JSON.stringify({ type: 'dog', price: 249.99, name: 'Rex', owner: { id: 'u-17', city: 'London' } });
const PET_REQUEST_TEMPLATE = `#set($pet = $input.path('$'))
{
  "type": "$pet.type",
  "price": $pet.price,
  "name": "$util.escapeJavaScript($pet.name)",
  "city": "$pet.owner.city",
  "caller": "$context.identity.sourceIp",
  "stage": "$context.stage"
}`;
const PET_RESPONSE_TEMPLATE = `#set($pet = $input.path('$'))
{"pet": {"type": "$pet.type", "price": $pet.price}, "message": "$pet.name lives in $pet.city"}`;
export const PET_ANSWER = { pet: { type: 'dog', price: 249.99 }, message: 'Rex lives in London' };

/** The answer of a route with both templates to an ORDER; the upstream echoes. */
export const MAPPED_ANSWER = { order: 4711, for: 'Ada Lovelace', count: 8, first: { sku: 'dog-0', count: 1, price: 9.99 } };
export const ITEM_ANSWER = JSON.parse(ITEM);

const answersAnything = { 200: { description: 'what the upstream says', content: {} } };

/** `authorizerUri`, `functionUri`: of the functions, as API Gateway calls them. */
export function stepsDocument({ upstreamUrl, authorizerUri, functionUri, issuerArn }) {
  const proxy = (path, more) => ({
    type: 'http_proxy',
    httpMethod: path === '/item' ? 'GET' : 'POST',
    uri: `${upstreamUrl}${path}`,
    passthroughBehavior: 'when_no_match',
    ...more,
  });
  const mapped = (request, response) => ({
    ...proxy('/echo'),
    type: 'http',
    requestTemplates: { 'application/json': request },
    responses: { default: { statusCode: '200', responseTemplates: { 'application/json': response } } },
  });
  const templates = mapped(REQUEST_TEMPLATE, RESPONSE_TEMPLATE);
  const get = (more = {}, integration = proxy('/item')) => ({
    get: { responses: answersAnything, ...more, 'x-amazon-apigateway-integration': integration },
  });
  const post = (more = {}, integration = proxy('/echo')) => ({
    post: { responses: answersAnything, ...more, 'x-amazon-apigateway-integration': integration },
  });
  const validated = {
    'x-amazon-apigateway-request-validator': 'body',
    requestBody: { content: { 'application/json': { schema: { $ref: '#/components/schemas/Order' } } } },
  };
  const authorizer = (authtype, settings, name = 'Authorization') => ({
    type: 'apiKey',
    name,
    in: 'header',
    'x-amazon-apigateway-authtype': authtype,
    'x-amazon-apigateway-authorizer': { authorizerResultTtlInSeconds: 3600, ...settings },
  });
  return {
    openapi: '3.0.1',
    info: { title: 'steps', version: '1' },
    'x-amazon-apigateway-request-validators': { body: { validateRequestBody: true, validateRequestParameters: false } },
    paths: {
      '/item': get(),
      '/keyed': get({ security: [{ key: [] }] }),
      '/function-authorizer': get({ security: [{ byFunction: [] }] }),
      '/jwt': get({ security: [{ byPool: [] }] }),
      '/iam': get({ security: [{ sigv4: [] }] }),
      '/mapped-parameters': get(
        { parameters: [{ name: 'id', in: 'query', schema: { type: 'string' } }] },
        proxy('/item', {
          requestParameters: {
            'integration.request.querystring.pet': 'method.request.querystring.id',
            'integration.request.header.X-Caller': 'context.identity.sourceIp',
            'integration.request.header.X-Shop': "'pets'",
          },
        }),
      ),
      '/cached': get(),
      '/function': get({}, { type: 'aws_proxy', httpMethod: 'POST', uri: functionUri }),
      '/echo': post(),
      '/schema': post(validated),
      '/http': post({}, { ...proxy('/echo'), type: 'http', responses: { default: { statusCode: '200' } } }),
      '/templates': post({}, mapped(PET_REQUEST_TEMPLATE, PET_RESPONSE_TEMPLATE)),
      '/list-templates': post({}, templates),
      '/program': post({ ...validated, security: [{ key: [], byFunction: [] }] }, templates),
    },
    components: {
      schemas: { Order: ORDER_MODEL, Customer: CUSTOMER_MODEL },
      securitySchemes: {
        key: { type: 'apiKey', name: 'x-api-key', in: 'header' },
        sigv4: { type: 'apiKey', name: 'Authorization', in: 'header', 'x-amazon-apigateway-authtype': 'awsSigv4' },
        byFunction: authorizer('custom', { type: 'token', authorizerUri }, 'X-Token'),
        byPool: authorizer('cognito_user_pools', { type: 'cognito_user_pools', providerARNs: [issuerArn] }),
      },
    },
  };
}
