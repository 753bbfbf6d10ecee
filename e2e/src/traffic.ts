/** Callers that never stop until told to; every answer that is not the expected one is kept. */
export class Traffic {
  private running = true;
  private readonly loops: Promise<void>[];
  readonly failures: string[] = [];
  answered = 0;

  constructor(
    url: string,
    callers: number,
    isExpected: (status: number, body: string) => boolean,
    headers: Record<string, string> = {},
  ) {
    this.loops = Array.from({ length: callers }, async () => {
      while (this.running) {
        try {
          const response = await fetch(url, { headers });
          const body = await response.text();
          if (isExpected(response.status, body)) this.answered++;
          else this.failures.push(`${response.status} ${body.slice(0, 200)}`);
        } catch (error) {
          this.failures.push(String((error as Error).cause ?? error));
        }
      }
    });
  }

  async stop(): Promise<void> {
    this.running = false;
    await Promise.all(this.loops);
  }
}
