/// A field name that the gateway treats in a way of its own; all others are ``other``.
public enum KnownField: UInt8, BitwiseCopyable, Sendable, CaseIterable {
  case other
  case authorization, connection, contentLength, cookie, date, expect, forwarded, host, keepAlive
  case location, maxForwards, proxyAuthenticate, proxyAuthorization, proxyConnection, server, setCookie, te,
    trailer
  case transferEncoding, upgrade, via, xForwardedFor, xForwardedHost, xForwardedPort
  case xForwardedProto, xRequestID, userAgent, referer, contentType, retryAfter
}
