import { storeContract } from '../store.contract.js';
import { InMemoryStore } from './in-memory-store.js';

storeContract('InMemoryStore', async (clock) => new InMemoryStore(clock));
