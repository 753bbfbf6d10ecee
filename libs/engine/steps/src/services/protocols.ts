/**
 * How AWS services are told which of their actions is asked for, by the names of their endpoints. From the services' published API models
 * (`targetPrefix`, `jsonVersion`, `apiVersion`).
 *
 *   JSON    POST / with `X-Amz-Target: {prefix}.{action}` and `application/x-amz-json-{version}`
 *   QUERY   `Action` and `Version`, and the rest as a form or in the query: whatever is not in the first table
 */
export type ActionProtocol =
  | { readonly type: 'JSON'; readonly targetPrefix: string; readonly contentType: string }
  /** `version` empty: not known, and to be mapped where the service wants one. */
  | { readonly type: 'QUERY'; readonly version: string };

/** `[JSON version, target prefix]`. */
const JSON_SERVICES: Readonly<Record<string, readonly [version: '1.0' | '1.1', targetPrefix: string]>> = {
  athena: ['1.1', 'AmazonAthena'],
  'cognito-identity': ['1.1', 'AWSCognitoIdentityService'],
  'cognito-idp': ['1.1', 'AWSCognitoIdentityProviderService'],
  codebuild: ['1.1', 'CodeBuild_20161006'],
  codepipeline: ['1.1', 'CodePipeline_20150709'],
  comprehend: ['1.1', 'Comprehend_20171127'],
  dynamodb: ['1.0', 'DynamoDB_20120810'],
  ecr: ['1.1', 'AmazonEC2ContainerRegistry_V20150921'],
  ecs: ['1.1', 'AmazonEC2ContainerServiceV20141113'],
  events: ['1.1', 'AWSEvents'],
  firehose: ['1.1', 'Firehose_20150804'],
  glue: ['1.1', 'AWSGlue'],
  kinesis: ['1.1', 'Kinesis_20131202'],
  kms: ['1.1', 'TrentService'],
  logs: ['1.1', 'Logs_20140328'],
  rekognition: ['1.1', 'RekognitionService'],
  sagemaker: ['1.1', 'SageMaker'],
  secretsmanager: ['1.1', 'secretsmanager'],
  states: ['1.0', 'AWSStepFunctions'],
  'streams.dynamodb': ['1.0', 'DynamoDBStreams_20120810'],
  textract: ['1.1', 'Textract'],
  transcribe: ['1.1', 'Transcribe'],
  translate: ['1.1', 'AWSShineFrontendService_20170701'],
};

const QUERY_VERSIONS: Readonly<Record<string, string>> = {
  autoscaling: '2011-01-01',
  cloudformation: '2010-05-15',
  ec2: '2016-11-15',
  elasticache: '2015-02-02',
  elasticbeanstalk: '2010-12-01',
  elasticloadbalancing: '2015-12-01',
  email: '2010-12-01',
  iam: '2010-05-08',
  monitoring: '2010-08-01',
  rds: '2014-10-31',
  redshift: '2012-12-01',
  sns: '2010-03-31',
  sqs: '2012-11-05',
  // Data-plane reference §3.3: API Gateway speaks the older of two protocols with it.
  ssm: '2014-11-06',
  sts: '2011-06-15',
};

/** `name` with what stands before it, e.g. `streams.dynamodb`. */
export function actionProtocol(name: string): ActionProtocol {
  const json = Object.hasOwn(JSON_SERVICES, name) ? JSON_SERVICES[name]! : null;
  if (json !== null) return { type: 'JSON', targetPrefix: json[1], contentType: `application/x-amz-json-${json[0]}` };
  return { type: 'QUERY', version: Object.hasOwn(QUERY_VERSIONS, name) ? QUERY_VERSIONS[name]! : '' };
}
