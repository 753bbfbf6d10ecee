import type { ApiGateway } from '@gatehouse/aws-api';
import type { Handlers } from '@gatehouse/control-wire';
import { badRequest, notFound } from '@gatehouse/domain';

export type AccessAssociationOperations = Handlers<
  ApiGateway.Operations,
  | 'CreateDomainNameAccessAssociation'
  | 'GetDomainNameAccessAssociations'
  | 'DeleteDomainNameAccessAssociation'
  | 'RejectDomainNameAccessAssociation'
>;

const DOMAIN_NAME_ARN = /^arn:aws[a-z-]*:apigateway:[a-z0-9-]+:\d{0,12}:\/domainnames\/[^/\s]+$/;
const ASSOCIATION_ARN = /^arn:aws[a-z-]*:apigateway:[a-z0-9-]+:\d{12}:\/domainnameaccessassociations\/\S+$/;

/**
 * Who may reach a private domain name from which VPC endpoint. Gatehouse has no private domain names, so there is nothing to
 * associate: what a new AWS account would see. The wording of the refusals is ours.
 */
export const accessAssociationOperations: AccessAssociationOperations = {
  CreateDomainNameAccessAssociation: async (_, { domainNameArn, accessAssociationSource }) => {
    if (!DOMAIN_NAME_ARN.test(domainNameArn)) throw badRequest('Invalid ARN specified in the request');
    if (accessAssociationSource === '') throw badRequest('Access association source must be specified');
    throw badRequest('Domain name access associations can only be created for private domain names, of which there are none');
  },
  GetDomainNameAccessAssociations: async () => ({ items: [] }),
  DeleteDomainNameAccessAssociation: async (_, input) => refuse(input.domainNameAccessAssociationArn),
  RejectDomainNameAccessAssociation: async (_, { domainNameArn, domainNameAccessAssociationArn }) => {
    if (!DOMAIN_NAME_ARN.test(domainNameArn)) throw badRequest('Invalid ARN specified in the request');
    refuse(domainNameAccessAssociationArn);
  },
};

function refuse(arn: string): never {
  throw ASSOCIATION_ARN.test(arn)
    ? notFound('Invalid domain name access association identifier specified')
    : badRequest('Invalid ARN specified in the request');
}
