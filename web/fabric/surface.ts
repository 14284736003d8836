// The interfaces of web-fabric.idl. They hold no authority that a page could copy: what they may do lies in their private parts, and a page can make none.

import { double, need, object } from './convert.js';
import * as d from './dictionaries.js';

/** What stands behind the surface: the tab itself (tab.ts), or a node. */
export interface Backing {
  identity(request: d.IdentityRequest): Promise<{ nodeId: string; tier: d.IdentityTier; attestation: d.IdentityAttestation; expiresAt: number }>;
  lease(request: d.LeaseRequest): Promise<{ qos: d.QoSProfile; power: d.PowerPolicy; expiresAt: number; spawn(options: d.DomainOptions): Promise<DomainBacking>; end(): void; renew(ms: number): Promise<number> }>;
  signals(): Promise<d.KernelSignals>;
}
export interface DomainBacking {
  id: string;
  run(task: d.TaskBundle, options: d.RunOptions): Promise<d.DeterministicResult>;
  hints(hints: d.ResourceHints): void;
  freeze(): void;
  end(): d.ExecutionReceipt;
}
type LeaseBacking = Awaited<ReturnType<Backing['lease']>>;

const MADE_HERE = Symbol('made here');
const EXPIRING_MS = 30_000;
// What the interfaces do to each other and no page can: set by their static blocks.
let spawnUnder: (lease: WebComputeLease, options: d.DomainOptions) => Promise<WebSandboxDomain>;
let withdraw: (domain: WebSandboxDomain, revoked: boolean) => void;

function only(token: unknown): void {
  if (token !== MADE_HERE) throw new TypeError('Illegal constructor');
}

export class WebFabricError extends DOMException {
  readonly #code: d.ErrorCode;
  readonly #details: unknown;
  constructor(token: unknown, code?: d.ErrorCode, message?: string, details?: unknown) {
    only(token);
    super(message, code);
    [this.#code, this.#details] = [code as d.ErrorCode, details];
  }
  // As the specification names it; DOMException has a number by this name, which nothing new is given.
  // @ts-expect-error another type than the member that it hides
  override get code(): d.ErrorCode { return this.#code; }
  get details(): unknown { return this.#details; }
}

export function fail(code: d.ErrorCode, message: string, details?: unknown): WebFabricError {
  return new WebFabricError(MADE_HERE, code, message, details);
}
const unsupported = (what: string): Promise<never> => Promise.reject(fail('NotSupportedError', `${what} is not built into what stands behind this page`));

/** An event with the receipt of what it ended, where there is one. spec: WF 6.8 */
function say(target: EventTarget, name: string, receipt?: d.ExecutionReceipt): void {
  const event = new Event(name);
  if (receipt !== undefined) Object.defineProperty(event, 'receipt', { value: receipt, enumerable: true });
  target.dispatchEvent(event);
}

export class WebIdentityToken {
  readonly #token: Awaited<ReturnType<Backing['identity']>>;
  constructor(token: unknown, value?: Awaited<ReturnType<Backing['identity']>>) {
    only(token);
    this.#token = value as Awaited<ReturnType<Backing['identity']>>;
  }
  get nodeId(): string { return this.#token.nodeId; }
  get tier(): d.IdentityTier { return this.#token.tier; }
  get attestation(): d.IdentityAttestation { return this.#token.attestation; }
  get expiresAt(): number { return this.#token.expiresAt; }
}

export class WebIdentity {
  readonly #backing: Backing;
  constructor(token: unknown, backing?: Backing) {
    only(token);
    this.#backing = backing as Backing;
  }
  async request(request: unknown): Promise<WebIdentityToken> {
    need(arguments, 1, 'WebIdentity.request');
    return new WebIdentityToken(MADE_HERE, await this.#backing.identity(d.identityRequest(request, 'request')));
  }
}

export class WebComputeLease extends EventTarget {
  readonly #backing: LeaseBacking;
  #state: d.LeaseState = 'active';
  #expiresAt: number;
  #timer: ReturnType<typeof setTimeout> | undefined;
  readonly #domains = new Set<WebSandboxDomain>();

  constructor(token: unknown, backing?: LeaseBacking) {
    only(token);
    super();
    this.#backing = backing as LeaseBacking;
    this.#expiresAt = this.#backing.expiresAt;
    this.#wait();
  }
  get state(): d.LeaseState { return this.#state; }
  get expiresAt(): number { return this.#expiresAt; }
  get qos(): d.QoSProfile { return { ...this.#backing.qos }; }
  get power(): d.PowerPolicy { return { ...this.#backing.power }; }

  async renew(additionalMs: unknown): Promise<undefined> {
    need(arguments, 1, 'WebComputeLease.renew');
    const more = double(additionalMs, 'additionalMs');
    if (more <= 0) throw new TypeError('additionalMs is not more than nothing');
    if (this.#over()) throw this.#refusal();
    this.#expiresAt = await this.#backing.renew(more);
    if (this.#state === 'expiring') this.#become('active');
    this.#wait();
    return undefined;
  }
  async revoke(): Promise<undefined> {
    if (!this.#over()) this.#finish('revoked');
    return undefined;
  }

  #over(): boolean { return this.#state === 'revoked' || this.#state === 'expired'; }
  #refusal(): WebFabricError { return this.#state === 'revoked' ? fail('RevokedError', 'the lease was revoked') : fail('InvalidStateError', 'the lease has expired'); }
  #become(state: d.LeaseState): void {
    if (this.#state === state) return;
    this.#state = state;
    say(this, 'statechange');
  }
  #finish(state: 'revoked' | 'expired'): void {
    clearTimeout(this.#timer);
    this.#backing.end();
    this.#become(state);
    for (const domain of [...this.#domains]) withdraw(domain, state === 'revoked');
    this.#domains.clear();
    if (state === 'revoked') say(this, 'revoked');
  }
  #wait(): void {
    clearTimeout(this.#timer);
    const left = this.#expiresAt - Date.now();
    if (left <= 0) return this.#finish('expired');
    const expiring = left > EXPIRING_MS ? left - EXPIRING_MS : left;
    this.#timer = setTimeout(() => {
      if (this.#expiresAt - Date.now() > 0) this.#become('expiring');
      this.#wait();
    }, Math.min(left > EXPIRING_MS ? expiring : left, 0x7fffffff));
    if (left <= EXPIRING_MS) this.#become('expiring');
  }
  async #spawn(options: d.DomainOptions): Promise<WebSandboxDomain> {
    if (this.#over()) throw this.#refusal();
    const domain = new WebSandboxDomain(MADE_HERE, await this.#backing.spawn(options), options, () => this.#domains.delete(domain));
    this.#domains.add(domain);
    if (this.#over()) {
      withdraw(domain, true);
      throw this.#refusal();
    }
    return domain;
  }
  static {
    spawnUnder = (lease, options) => lease.#spawn(options);
  }
}

export class WebLeaseCapability {
  readonly #lease: WebComputeLease;
  constructor(token: unknown, lease?: WebComputeLease) {
    only(token);
    this.#lease = lease as WebComputeLease;
  }
  async spawnDomain(options: unknown): Promise<WebSandboxDomain> {
    need(arguments, 1, 'WebLeaseCapability.spawnDomain');
    return spawnUnder(this.#lease, d.domainOptions(options, 'options'));
  }
}

/** spec: WF 7.3, as far as a domain is here: it is made running. */
type DomainState = 'running' | 'frozen' | 'revoked' | 'terminated';

export class WebSandboxDomain extends EventTarget {
  readonly #backing: DomainBacking;
  readonly #options: d.DomainOptions;
  readonly #gone: () => void;
  #state: DomainState = 'running';

  constructor(token: unknown, backing?: DomainBacking, options?: d.DomainOptions, gone?: () => void) {
    only(token);
    super();
    [this.#backing, this.#options, this.#gone] = [backing as DomainBacking, options as d.DomainOptions, gone as () => void];
  }
  get deterministic(): boolean { return this.#options.deterministic; }
  get domainId(): string { return this.#backing.id; }

  #live(): void {
    if (this.#state === 'revoked') throw fail('RevokedError', 'the lease of this domain was taken back');
    if (this.#state === 'terminated') throw fail('InvalidStateError', 'this domain has ended');
  }
  /** Also what sets a frozen domain going again: it is scheduled anew. */
  async setSchedulingHints(hints: unknown): Promise<undefined> {
    need(arguments, 1, 'WebSandboxDomain.setSchedulingHints');
    const wanted = d.resourceHints(hints, 'hints');
    this.#live();
    this.#state = 'running';
    this.#backing.hints(wanted);
    return undefined;
  }
  async runDeterministic(task: unknown, options: unknown): Promise<d.DeterministicResult> {
    need(arguments, 2, 'WebSandboxDomain.runDeterministic');
    const [what, how] = [d.taskBundle(task, 'task'), d.runOptions(options, 'options')];
    this.#live();
    if (this.#state === 'frozen') throw fail('InvalidStateError', 'this domain is frozen; setSchedulingHints() sets it going');
    if (what.bundleHash !== this.#options.imageHash) throw fail('IntegrityError', 'the task is of another bundle than this domain was made of');
    if (what.oracleNames.length > 0) return unsupported('an oracle');
    return this.#backing.run(what, how);
  }
  async checkpoint(options: unknown): Promise<WebDomainCheckpoint> {
    need(arguments, 1, 'WebSandboxDomain.checkpoint');
    d.checkpointOptions(options, 'options');
    this.#live();
    return unsupported('a checkpoint');
  }
  async restore(checkpoint: unknown): Promise<undefined> {
    need(arguments, 1, 'WebSandboxDomain.restore');
    object(WebDomainCheckpoint)(checkpoint, 'checkpoint');
    this.#live();
    return unsupported('a checkpoint');
  }
  async freeze(): Promise<undefined> {
    this.#live();
    this.#state = 'frozen';
    this.#backing.freeze();
    return undefined;
  }
  async terminate(): Promise<undefined> {
    if (this.#state === 'terminated' || this.#state === 'revoked') return undefined;
    this.#state = 'terminated';
    this.#gone();
    say(this, 'terminated', this.#backing.end());
    return undefined;
  }
  /** The authority is gone, and with it whatever runs. */
  #withdraw(revoked: boolean): void {
    if (this.#state === 'terminated' || this.#state === 'revoked') return;
    this.#state = revoked ? 'revoked' : 'terminated';
    const receipt = this.#backing.end();
    if (revoked) say(this, 'revoked', receipt);
    say(this, 'terminated', receipt);
  }
  static {
    withdraw = (domain, revoked) => domain.#withdraw(revoked);
  }
}

export class WebDomainCheckpoint {
  constructor(token: unknown) { only(token); }
  get checkpointCID(): string { return this.#never(); }
  get complete(): boolean { return this.#never(); }
  #never(): never { throw fail('InvalidStateError', 'there is no such checkpoint'); }
}

export class WebFabricClusterHandle extends EventTarget {
  constructor(token: unknown) { only(token); super(); }
  get clusterId(): string { return this.#never(); }
  get roles(): readonly d.Role[] { return this.#never(); }
  async leave(): Promise<undefined> { return this.#never(); }
  #never(): never { throw fail('InvalidStateError', 'there is no such membership'); }
}

export class WebIngressPort extends EventTarget {
  constructor(token: unknown) { only(token); super(); }
  get serviceId(): string { return this.#never(); }
  get serviceAddress(): string { return this.#never(); }
  get expiresAt(): number { return this.#never(); }
  async renew(additionalMs: unknown): Promise<undefined> {
    need(arguments, 1, 'WebIngressPort.renew');
    double(additionalMs, 'additionalMs');
    return this.#never();
  }
  async revoke(): Promise<undefined> { return this.#never(); }
  #never(): never { throw fail('InvalidStateError', 'there is no such port'); }
}

export class WebConsensusGroup extends EventTarget {
  constructor(token: unknown) { only(token); super(); }
  get groupId(): string { return this.#never(); }
  async propose(command: unknown): Promise<ArrayBuffer> {
    need(arguments, 1, 'WebConsensusGroup.propose');
    object(ArrayBuffer)(command, 'command');
    return this.#never();
  }
  async reconfigure(options: unknown): Promise<undefined> {
    need(arguments, 1, 'WebConsensusGroup.reconfigure');
    d.consensusGroupOptions(options, 'options');
    return this.#never();
  }
  #never(): never { throw fail('InvalidStateError', 'there is no such group'); }
}

export class WebFabricRuntime extends EventTarget {
  readonly #backing: Backing;
  constructor(token: unknown, backing?: Backing) {
    only(token);
    super();
    this.#backing = backing as Backing;
  }
  async requestLease(request: unknown): Promise<{ lease: WebComputeLease; leaseCap: WebLeaseCapability }> {
    need(arguments, 1, 'WebFabricRuntime.requestLease');
    const lease = new WebComputeLease(MADE_HERE, await this.#backing.lease(d.leaseRequest(request, 'request')));
    return { lease, leaseCap: new WebLeaseCapability(MADE_HERE, lease) };
  }
  async joinCluster(options: unknown): Promise<WebFabricClusterHandle> {
    need(arguments, 1, 'WebFabricRuntime.joinCluster');
    if (!(#backing in this)) throw new TypeError('Illegal invocation');
    d.clusterJoinOptions(WebIdentityToken)(options, 'options');
    return unsupported('a cluster');
  }
  async requestIngress(request: unknown): Promise<WebIngressPort> {
    need(arguments, 1, 'WebFabricRuntime.requestIngress');
    if (!(#backing in this)) throw new TypeError('Illegal invocation');
    d.ingressRequest(request, 'request');
    return unsupported('ingress');
  }
  async createConsensusGroup(options: unknown): Promise<WebConsensusGroup> {
    need(arguments, 1, 'WebFabricRuntime.createConsensusGroup');
    if (!(#backing in this)) throw new TypeError('Illegal invocation');
    d.consensusGroupOptions(options, 'options');
    return unsupported('a consensus group');
  }
}

export class WebKernelBridge {
  readonly #backing: Backing;
  constructor(token: unknown, backing?: Backing) {
    only(token);
    this.#backing = backing as Backing;
  }
  async getSignals(): Promise<d.KernelSignals> {
    return this.#backing.signals();
  }
}

// ---- as Web IDL has interfaces: members are enumerable, names are on the global object, and event handlers are attributes

type Interface = abstract new (...args: never[]) => object;
const HANDLERS = new WeakMap<EventTarget, Map<string, { value: unknown }>>();

function handler(type: Interface, name: string): void {
  const event = name.slice(2);
  Object.defineProperty(type.prototype, name, {
    configurable: true, enumerable: true,
    get(this: EventTarget): unknown {
      if (!(this instanceof type)) throw new TypeError('Illegal invocation');
      return HANDLERS.get(this)?.get(name)?.value ?? null;
    },
    set(this: EventTarget, value: unknown) {
      if (!(this instanceof type)) throw new TypeError('Illegal invocation');
      const mine = HANDLERS.get(this) ?? new Map<string, { value: unknown }>();
      HANDLERS.set(this, mine);
      const kept = mine.get(name);
      const callback = typeof value === 'function' || (typeof value === 'object' && value !== null) ? value : null;
      if (kept !== undefined) {
        kept.value = callback;
        return;
      }
      if (callback === null) return;
      const box = { value: callback as unknown };
      mine.set(name, box);
      this.addEventListener(event, (happened) => typeof box.value === 'function' && (box.value as (event: Event) => void).call(this, happened));
    },
  });
}

const INTERFACES: Record<string, { type: Interface; handlers?: string[] }> = {
  WebFabricError: { type: WebFabricError }, WebIdentity: { type: WebIdentity }, WebIdentityToken: { type: WebIdentityToken },
  WebComputeLease: { type: WebComputeLease, handlers: ['onstatechange', 'onrevoked'] }, WebLeaseCapability: { type: WebLeaseCapability },
  WebSandboxDomain: { type: WebSandboxDomain, handlers: ['onrevoked', 'onterminated'] }, WebDomainCheckpoint: { type: WebDomainCheckpoint },
  WebFabricClusterHandle: { type: WebFabricClusterHandle, handlers: ['onrolechange', 'onmembershipchange'] }, WebIngressPort: { type: WebIngressPort, handlers: ['onrevoked'] },
  WebConsensusGroup: { type: WebConsensusGroup }, WebFabricRuntime: { type: WebFabricRuntime }, WebKernelBridge: { type: WebKernelBridge },
};

/** Operations that return a promise reject where others throw, also for what is no such object. */
function expose(name: string, type: Interface): void {
  for (const [key, member] of Object.entries(Object.getOwnPropertyDescriptors(type.prototype))) {
    if (key !== 'constructor') Object.defineProperty(type.prototype, key, { ...member, enumerable: true });
  }
  Object.defineProperty(type.prototype, Symbol.toStringTag, { value: name, configurable: true });
  Object.defineProperty(type, 'name', { value: name, configurable: true });
  Object.defineProperty(type, 'length', { value: 0, configurable: true });
  Object.defineProperty(globalThis, name, { value: type, writable: true, configurable: true });
}

/** Puts the interfaces into this window, with `backing` behind them. Where the browser has them of its own, they stay. */
export function install(backing: Backing): boolean {
  if ('webFabric' in navigator) return false;
  for (const [name, { type, handlers }] of Object.entries(INTERFACES)) {
    for (const each of handlers ?? []) handler(type, each);
    expose(name, type);
  }
  const members: Record<string, object> = {
    webIdentity: new WebIdentity(MADE_HERE, backing), webFabric: new WebFabricRuntime(MADE_HERE, backing), webKernel: new WebKernelBridge(MADE_HERE, backing),
  };
  for (const [name, value] of Object.entries(members)) {
    Object.defineProperty(Navigator.prototype, name, {
      configurable: true, enumerable: true,
      get(this: unknown): object {
        if (!(this instanceof Navigator)) throw new TypeError('Illegal invocation');
        return value;
      },
    });
  }
  return true;
}
