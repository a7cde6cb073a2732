/** Whether a socket is to be told that it speaks IPv6. A name is looked up as IPv4: with IPv6 `localhost` may be found where nobody listens. */
export function isIpv6(endpoint: string): boolean {
  return endpoint.startsWith("tcp://[");
}
