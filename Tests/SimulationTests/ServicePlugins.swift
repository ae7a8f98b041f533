import Plugins
import Resources
import Testing

/// The plugins of a service, as a configuration has them: `bandwidth: {response: {rate: 20000}}`.
func servicePlugins(
  _ plugins: String, of catalog: PluginCatalog = .standard
) throws -> [PluginAttachment] {
  let text = """
    listeners: [{name: web, address: "127.0.0.1:8080"}]
    services: [{name: app, endpoints: ["127.0.0.1:9000"], plugins: {\(plugins)}}]
    routes: [{name: all, service: app}]
    """
  let configuration = try ConfigurationFile.load(text: text, path: "test.yaml", plugins: catalog)
  return try #require(configuration.services.first).plugins
}

/// The plugin of that name for a service, by its options.
func bandwidth(_ options: String) throws -> [PluginAttachment] {
  try servicePlugins("bandwidth: {\(options)}")
}
