/// A field name that the gateway treats in a way of its own; all others are ``other``.
public enum KnownField: UInt8, BitwiseCopyable, Sendable, CaseIterable {
  case other
  case connection, contentLength, cookie, date, expect, forwarded, host, keepAlive, location
  case maxForwards, proxyAuthenticate, proxyAuthorization, proxyConnection, server, setCookie, te, trailer
  case transferEncoding, upgrade, via, xForwardedFor, xForwardedHost, xForwardedPort
  case xForwardedProto, xRequestID, userAgent, referer, contentType, retryAfter
}
