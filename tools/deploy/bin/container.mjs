/** A container of namespaces, mounts and `chroot`, for an unpacked image: what a container engine does, without one. */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

const WITHOUT_RIGHTS = ['--clear-groups', '--no-new-privs', '--bounding-set=-all', '--inh-caps=-all'];

/** $1 the image's folder, $2 the volume's place in it or nothing, $3 the volume; the rest is what runs. It becomes process 1. */
const ENTER = `set -e
root=$1 place=$2 volume=$3; shift 3
mount --make-rprivate /
mount --bind "$root" "$root"
mount -t proc proc "$root/proc"
mount -t tmpfs -o mode=1777 tmp "$root/tmp"
mount -t tmpfs -o mode=755 dev "$root/dev"
for device in null zero random urandom; do
  touch "$root/dev/$device"; mount --bind "/dev/$device" "$root/dev/$device"
done
if [ -n "$place" ]; then mount --bind "$volume" "$root$place"; fi
mount -o remount,bind,ro "$root"
exec chroot "$root" "$@"`;

export class Container {
  log = '';
  /** Exit code of process 1, or the signal that ended it. */
  ended;
  #image;
  #process;
  #environment;

  constructor(image, { environment, command, data }) {
    const { app, folder, settings } = image;
    this.app = app;
    this.#image = image;
    const ofImage = Object.fromEntries(
      (settings.Env ?? []).map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
    );
    this.#environment = { ...ofImage, ...environment };
    const [place = ''] = Object.keys(settings.Volumes ?? {});
    const process1 = [...settings.Entrypoint, ...(command ?? settings.Cmd)];
    this.#process = spawn(
      'unshare',
      [
        '--mount',
        '--pid',
        '--ipc',
        '--uts',
        '--fork',
        '--kill-child',
        '--',
        'sh',
        '-c',
        ENTER,
        'sh',
        folder,
        place,
        data,
        ...this.#asUser(process1),
      ],
      { env: this.#environment, stdio: ['ignore', 'pipe', 'pipe'] },
    );
    for (const stream of [this.#process.stdout, this.#process.stderr]) stream.on('data', (chunk) => (this.log += chunk));
    this.ended = new Promise((resolve) => this.#process.once('close', (code, signal) => resolve(code ?? signal)));
  }

  /** The interfaces of a new network are down. */
  static upLoopback() {
    execFileSync('ip', ['link', 'set', 'lo', 'up']);
  }

  /** Process 1, by its id outside. */
  get pid() {
    const { pid } = this.#process;
    return Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ')[0]);
  }

  /** What `docker exec` does. */
  run(command) {
    const target = ['--target', String(this.pid), '--mount', '--pid', '--ipc', '--uts', '--root', '--wd=/'];
    return spawnSync('nsenter', [...target, ...this.#asUser(command)], { env: this.#environment, encoding: 'utf8' });
  }

  /** Asks by the image's own HEALTHCHECK. */
  isHealthy() {
    const [kind, ...command] = this.#image.settings.Healthcheck.Test;
    if (kind !== 'CMD') throw new Error(`a health check of kind ${kind}`);
    return this.run(command).status === 0;
  }

  kill() {
    this.#process.kill('SIGKILL');
  }

  #asUser(command) {
    const [user, group] = this.#image.settings.User.split(':');
    return [
      'env',
      `--chdir=${this.#image.settings.WorkingDir}`,
      'setpriv',
      `--reuid=${user}`,
      `--regid=${group}`,
      ...WITHOUT_RIGHTS,
      ...command,
    ];
  }
}
