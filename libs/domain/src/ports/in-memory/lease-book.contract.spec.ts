import { systemClock } from '@gatehouse/kernel';
import { leaseBookContract } from '../lease-book.contract.js';
import { InMemoryLeaseBook } from './lease-book.js';

leaseBookContract(
  'InMemoryLeaseBook',
  async () => new InMemoryLeaseBook(systemClock),
  async (book) => book,
);
