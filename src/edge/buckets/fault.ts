/** Why a bucket of a customer, or a presigned address, did not do what was asked. */
import { type BucketFaultCode, type Fault, faultOf } from "../domain/buckets/faults.ts";
import { Problem } from "../problem.ts";

export class BucketFault extends Problem {
  readonly fault: Fault;

  constructor(fault: Fault) {
    super("bucket-failed", fault.message, { reason: fault.code });
    this.fault = fault;
  }
}

export const bucketFault = (code: BucketFaultCode, detail?: string) =>
  new BucketFault(faultOf(code, detail));
