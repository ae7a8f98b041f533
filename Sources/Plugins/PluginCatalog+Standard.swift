import Resources

extension PluginCatalog {
  /// All that the gateway has.
  public static let standard = PluginCatalog([
    KeyAuth.self
  ])
}
