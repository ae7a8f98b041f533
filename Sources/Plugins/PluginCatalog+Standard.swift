import Resources

extension PluginCatalog {
  /// All that the gateway has.
  public static let standard = PluginCatalog([
    ACL.self,
    BasicAuth.self,
    Cache.self,
    CORS.self,
    Fault.self,
    Headers.self,
    IPRestriction.self,
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
