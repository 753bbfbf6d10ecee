/** Whose end of a loopback connection is this? Read from /proc/net/tcp and the descriptors of the process tree (Linux). */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import type { Socket } from 'node:net';
import { treeOf } from './process-tree.js';

/** True when a process of the tree under `leader` holds the other end, and on machines without /proc, where nobody can tell. */
export function belongsToTree(socket: Socket, leader: number): boolean {
  const { remotePort, localPort } = socket;
  if (remotePort === undefined || localPort === undefined) return false; // closed already
  const inode = inodeOf(remotePort, localPort);
  if (inode === undefined) return true;
  return inode !== null && treeOf(leader).some((pid) => holdsSocket(pid, inode));
}

/** `null`: no such connection; `undefined`: cannot be known. */
function inodeOf(fromPort: number, toPort: number): string | null | undefined {
  let table: string;
  try {
    table = readFileSync('/proc/net/tcp', 'utf8');
  } catch {
    return undefined;
  }
  const from = `0100007F:${hexPort(fromPort)}`;
  const to = `0100007F:${hexPort(toPort)}`;
  for (const line of table.split('\n')) {
    const fields = line.trim().split(/\s+/);
    if (fields[1] === from && fields[2] === to) return fields[9] ?? null;
  }
  return null;
}

const hexPort = (port: number): string => port.toString(16).toUpperCase().padStart(4, '0');

function holdsSocket(pid: number, inode: string): boolean {
  try {
    const folder = `/proc/${pid}/fd`;
    return readdirSync(folder).some((fd) => linkTarget(`${folder}/${fd}`) === `socket:[${inode}]`);
  } catch {
    return false;
  }
}

function linkTarget(file: string): string {
  try {
    return readlinkSync(file);
  } catch {
    return '';
  }
}
