import Resources

extension PluginCatalog {
  /// All that the gateway has.
  public static let standard = PluginCatalog([
    ACL.self,
    BasicAuth.self,
    CORS.self,
    Fault.self,
    HMACAuth.self,
    Headers.self,
    IPRestriction.self,
    JWTAuth.self,
    KeyAuth.self,
    LimitConcurrency.self,
    Maintenance.self,
    Mock.self,
    RateLimit.self,
    Redirect.self,
    RequestSize.self,
    Rewrite.self,
    UARestriction.self,
  ])
}
