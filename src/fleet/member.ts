/**
 * One server of the fleet: brings what is held of it and what is told of it to what its source shows. What to
 * do is decided in plan.ts and done in holding.ts; how it is put into words is in condition.ts and report.ts.
 */
import type { Rank, Run, Server } from "../routing/run.ts";
import type { Sighting } from "../sources/sighting.ts";
import type { ContainerStatus } from "../status.ts";
import { Holding, type HoldingInit } from "./holding.ts";
import { Report, type Subject } from "./report.ts";
import type { ServedModels } from "./served-models.ts";

export type MemberInit = Omit<HoldingInit, "onProgress"> & { readonly served: ServedModels };

export class Member {
  readonly #server: Server;
  readonly #init: MemberInit;
  readonly #holding: Holding;
  readonly #report: Report;
  #name: string;
  /** As its source showed it last. */
  #sighting: Sighting | undefined;

  constructor(server: Server, name: string, init: MemberInit) {
    this.#server = server;
    this.#name = name;
    this.#init = init;
    this.#holding = new Holding(name, { ...init, onProgress: () => this.#tell() });
    this.#report = new Report(init.log, Date.now());
  }

  /** See `Holding.firstRead`. */
  get firstRead(): Promise<void> {
    return this.#holding.firstRead;
  }

  /** What is known of it now. */
  get status(): ContainerStatus {
    return this.#report.status(this.#subject);
  }

  /** See `Holding.rereadModels`. */
  rereadModels(): Promise<void> {
    return this.#holding.rereadModels();
  }

  saw(sighting: Sighting, rank: Rank): void {
    this.#sighting = sighting;
    this.#name = sighting.name;
    this.#holding.saw(sighting, rank);
    this.#tell();
  }

  /** Acts only if that run is held. The sighting that follows knows what came of it. */
  over({ startedAtMs }: Run, reason: string): void {
    if (this.#holding.place?.run.startedAtMs !== startedAtMs) return;
    this.#holding.over();
    this.#report.note({ state: "stopped", reason }, Date.now());
  }

  couldNotSee(reason: string): void {
    this.#report.cannotTell(reason);
  }

  /** Brings what is told of it to what is seen and held of it. */
  #tell(): void {
    const sighting = this.#sighting;
    if (sighting === undefined) return;
    this.#report.tell(this.#subject, sighting, Date.now());
    this.#init.served.tell({
      server: this.#server,
      name: this.#name,
      isAlive: sighting.kind !== "absent" || sighting.comesBack,
      served: this.#holding.served,
    });
  }

  get #subject(): Subject {
    return { id: this.#server.id, name: this.#name, holding: this.#holding };
  }
}
