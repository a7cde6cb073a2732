/** A failed call as XML-RPC and JSON-RPC say it. */
export interface Fault {
  /** 32 bit. -32768 to -32000 are reserved ("Specification for Fault Code Interoperability", 20010516). */
  readonly code: number;
  readonly message: string;
  /** What the peer sent as faultCode when it was no integer (the oldest Odoo sends text); `code` is -32500 then. */
  readonly legacyCode?: string | undefined;
}

/** The reserved codes that this package makes. */
export const FaultCode = {
  NotWellFormed: -32700,
  UnsupportedEncoding: -32701,
  InvalidCharacter: -32702,
  InvalidRequest: -32600,
  MethodNotFound: -32601,
  InvalidParams: -32602,
  Internal: -32603,
  Application: -32500,
  System: -32400,
  Transport: -32300,
} as const;

/** Thrown while a document is read or a call is found: answered as this fault. */
export class FaultError extends Error {
  readonly fault: Fault;

  constructor(code: number, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "FaultError";
    this.fault = { code, message };
  }
}
