/**
 * The edge whose bindings fail on demand, for bench/faults.ts. `POST /__faults` sets what fails and moves the edge's
 * clock. The Worker, its Durable Objects and its Workflows run in one isolate and share this module's state.
 */
import type { Env } from "../../src/edge/bindings.ts";
import * as edge from "../../src/edge/index.ts";
import { Dice } from "../random.ts";

/** Which operations fail. */
export interface Plan {
  binding: "d1" | "r2";
  /** `before`: nothing was done · `after`: it was done, but the answer is lost · `slow`: it is done late */
  when: "before" | "after" | "slow";
  /** Probability that an operation fails. */
  rate: number;
  /** How many operations fail in total. */
  left: number;
  seed: number;
}

let plan: Plan | null = null;
let dice = new Dice(0);
let skewMs = 0;

const realNow = Date.now.bind(Date);
Date.now = () => realNow() + skewMs;

const FAULTS = {
  d1: "D1_ERROR: Network connection lost.",
  r2: "put: We encountered an internal error. Please try again. (10001)",
};

async function faulty<T>(binding: Plan["binding"], operation: () => Promise<T>): Promise<T> {
  if (plan?.binding !== binding || plan.left === 0 || !dice.chance(plan.rate)) return operation();
  plan.left--;
  const { when } = plan;
  if (when === "slow") await new Promise((resolve) => setTimeout(resolve, dice.int(20, 400)));
  if (when === "before") throw new Error(FAULTS[binding]);
  const done = await operation();
  if (when === "after") throw new Error(FAULTS[binding]);
  return done;
}

/** The object with some of its asynchronous methods failing on demand. */
function withFaultyMethods<T extends object>(target: T, binding: Plan["binding"], names: string[]) {
  return new Proxy(target, {
    get(object, name) {
      const member = Reflect.get(object, name);
      if (typeof member !== "function") return member;
      if (!names.includes(name as string)) return member.bind(object);
      return (...args: unknown[]) => faulty(binding, () => member.apply(object, args));
    },
  });
}

const plainStatements = new WeakMap<object, D1PreparedStatement>();

function faultyStatement(statement: D1PreparedStatement): D1PreparedStatement {
  const proxy = new Proxy(statement, {
    get(object, name) {
      if (name === "bind") return (...values: unknown[]) => faultyStatement(object.bind(...values));
      const member = Reflect.get(object, name);
      if (typeof member !== "function") return member;
      return (...args: unknown[]) => faulty("d1", () => member.apply(object, args));
    },
  });
  plainStatements.set(proxy, statement);
  return proxy;
}

function faultyDatabase(db: D1Database): D1Database {
  return {
    prepare: (sql: string) => faultyStatement(db.prepare(sql)),
    batch: (statements: D1PreparedStatement[]) =>
      faulty("d1", () => db.batch(statements.map((one) => plainStatements.get(one) ?? one))),
  } as D1Database;
}

const environments = new WeakMap<object, Env>();

function withFaults(env: Env): Env {
  let faultyEnv = environments.get(env);
  if (!faultyEnv) {
    faultyEnv = {
      ...env,
      DB: faultyDatabase(env.DB),
      BUCKET: withFaultyMethods(env.BUCKET, "r2", ["get", "head", "put", "delete", "list"]),
    };
    environments.set(env, faultyEnv);
  }
  return faultyEnv;
}

export class ShardWorkflow extends edge.ShardWorkflow {
  constructor(context: ExecutionContext, env: Env) {
    super(context, withFaults(env));
  }
}
export class UploadWorkflow extends edge.UploadWorkflow {
  constructor(context: ExecutionContext, env: Env) {
    super(context, withFaults(env));
  }
}
export class BatchDriver extends edge.BatchDriver {
  constructor(state: DurableObjectState, env: Env) {
    super(state, withFaults(env));
  }
}
export class ContextDriver extends edge.ContextDriver {
  constructor(state: DurableObjectState, env: Env) {
    super(state, withFaults(env));
  }
}
export class Scheduler extends edge.Scheduler {
  constructor(state: DurableObjectState, env: Env) {
    super(state, withFaults(env));
  }
}
export class RateLimiter extends edge.RateLimiter {
  constructor(state: DurableObjectState, env: Env) {
    super(state, withFaults(env));
  }
}
export class WebhookReceiver extends edge.WebhookReceiver {
  constructor(state: DurableObjectState, env: Env) {
    super(state, withFaults(env));
  }
}
export { ContextIndex, JobNotifier } from "../../src/edge/index.ts";

export default {
  async fetch(request, env, context) {
    if (new URL(request.url).pathname !== "/__faults")
      return edge.default.fetch(request, withFaults(env), context);
    if (request.method === "POST") {
      const order = (await request.json()) as { plan?: Plan | null; skewMs?: number };
      if (order.plan !== undefined) {
        plan = order.plan;
        dice = new Dice(plan?.seed ?? 0);
      }
      skewMs = order.skewMs ?? skewMs;
    }
    return Response.json({ left: plan?.left ?? 0 });
  },
  scheduled: (event, env) => edge.default.scheduled(event, withFaults(env)),
} satisfies ExportedHandler<Env>;
