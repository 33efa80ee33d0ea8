// SPDX-License-Identifier: Apache-2.0
// The program $SERVE on a free port of this machine.
import {spawn} from "node:child_process";
import {once} from "node:events";
import {createInterface} from "node:readline";
import {setTimeout as sleep} from "node:timers/promises";

export class Server {
  headers = {};  // of the requests for metrics

  // Ready for requests once the promise is kept.
  static async start(...flags) {
    const server = new Server();
    server.process = spawn(process.env.SERVE, [...flags, "--port", "0", "--log", "none", "--threads", "1"],
                           {stdio: ["ignore", "pipe", "inherit"]});
    const [line] = await once(createInterface(server.process.stdout), "line");
    server.url = line.replace("Listening on ", "");
    while ((await fetch(server.url + "/health")).status !== 200) await sleep(10);
    return server;
  }

  // The exit code.
  async stop() {
    this.process.kill();
    return (await once(this.process, "exit"))[0];
  }

  // Does something while the server runs for a millisecond in twenty, as the embedded model is faster than a hand.
  async slowly(act) {
    let done = false;
    const slices = (async () => {
      while (!done) {
        this.process.kill("SIGSTOP");
        await sleep(20);
        this.process.kill("SIGCONT");
        await sleep(1);
      }
    })();
    try {
      await act();
    } finally {
      done = true;
      await slices;
    }
  }

  // A number of /metrics.
  async metric(name) {
    const text = await (await fetch(this.url + "/metrics", {headers: this.headers})).text();
    return Number(text.match(new RegExp(`^sluice_${name} (.*)$`, "m"))[1]);
  }

  // The milliseconds until a number of /metrics has a value.
  async wait_for(name, value) {
    const start = performance.now();
    while (await this.metric(name) !== value) {
      if (performance.now() - start > 10_000) throw new Error(`${name} is ${await this.metric(name)}, not ${value}`);
      await sleep(5);
    }
    return performance.now() - start;
  }
}
