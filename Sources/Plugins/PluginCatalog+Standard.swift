import Resources

extension PluginCatalog {
  /// All that the gateway has.
  public static let standard = PluginCatalog([
    ACL.self,
    APIBreaker.self,
    Bandwidth.self,
    BasicAuth.self,
    Cache.self,
    CORS.self,
    Fault.self,
    ForwardAuth.self,
    HMACAuth.self,
    Headers.self,
    IPRestriction.self,
    JWTAuth.self,
    KeyAuth.self,
    LimitConcurrency.self,
    Maintenance.self,
    Mirror.self,
    Mock.self,
    RateLimit.self,
    Redirect.self,
    RequestID.self,
    RequestSize.self,
    ResponseRewrite.self,
    ResponseSize.self,
    Rewrite.self,
    TrafficSplit.self,
    UARestriction.self,
  ])
}
