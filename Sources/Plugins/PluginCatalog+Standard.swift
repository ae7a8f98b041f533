import Resources

extension PluginCatalog {
  /// All that the gateway has.
  public static let standard = PluginCatalog([
    ACL.self,
    BasicAuth.self,
    CORS.self,
    Fault.self,
    ForwardAuth.self,
    Headers.self,
    IPRestriction.self,
    KeyAuth.self,
    LimitConcurrency.self,
    Maintenance.self,
    Mirror.self,
    Mock.self,
    RateLimit.self,
    Redirect.self,
    RequestSize.self,
    Rewrite.self,
    UARestriction.self,
  ])
}
