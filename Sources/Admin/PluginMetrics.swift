import DataPlane

/// The metrics that have a plugin for a label.
enum PluginMetrics {
  static func append(_ plugins: [String: PluginFigures], to page: inout PrometheusText) {
    let plugins = plugins.sorted { $0.key < $1.key }
    page.begin("penstock_plugin_answers_total", .counter, "Requests that a plugin has answered itself.")
    for (name, figures) in plugins { page.sample(["plugin": name], figures.answers) }
    page.begin(
      "penstock_plugin_failures_total", .counter, "Plugins' calls that have failed; a request gets 500.")
    for (name, figures) in plugins { page.sample(["plugin": name], figures.failures) }
    page.begin(
      "penstock_side_requests_total", .counter,
      "Requests of the gateway's own to services, by the plugin that they were for and by how they ended.")
    for (name, figures) in plugins where !figures.sideRequests.isEmpty {
      for result in SideResult.allCases {
        page.sample(
          ["plugin": name, "result": result.name.description], figures.sideRequests[result])
      }
    }
  }
}
