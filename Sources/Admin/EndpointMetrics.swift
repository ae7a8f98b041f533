import DataPlane

/// The metrics that have an endpoint for a label.
enum EndpointMetrics {
  static func append(_ services: [ServiceFigures], endpointsMax: Int, to page: inout PrometheusText) {
    let all = services.flatMap { service in
      service.endpoints.map { (service: service.name, endpoint: $0) }
    }
    let shown = all.prefix(endpointsMax)
    func metric(
      _ name: String, _ kind: PrometheusText.Kind, _ help: String, _ value: (EndpointFigures) -> UInt64
    ) {
      page.begin(name, kind, help)
      for (service, endpoint) in shown {
        page.sample(
          ["service": service, "endpoint": endpoint.name, "address": endpoint.address], value(endpoint))
      }
    }
    metric("penstock_endpoint_healthy", .gauge, "1 where active checks find the endpoint healthy.") {
      $0.isHealthy ? 1 : 0
    }
    metric("penstock_endpoint_ejecting_workers", .gauge, "Workers that have ejected the endpoint now.") {
      UInt64($0.ejectingWorkers)
    }
    metric("penstock_endpoint_in_flight", .gauge, "Requests that the endpoint serves now.") {
      UInt64(max(0, $0.inFlight))
    }
    metric("penstock_endpoint_requests_total", .counter, "Requests sent to the endpoint.") { $0.requests }
    metric("penstock_endpoint_failures_total", .counter, "Requests that the endpoint failed.") {
      $0.failures
    }
    metric("penstock_endpoint_ejections_total", .counter, "Times that a worker ejected the endpoint.") {
      $0.ejections
    }
    page.begin("penstock_service_endpoints", .gauge, "Endpoints of a service, by state.")
    for service in services.prefix(endpointsMax) {
      let healthy = service.endpoints.count { $0.isHealthy }
      page.sample(["service": service.name, "state": "healthy"], healthy)
      page.sample(["service": service.name, "state": "unhealthy"], service.endpoints.count - healthy)
    }
    page.gauge(
      "penstock_metrics_endpoints_omitted", "Endpoints that this page leaves out.", all.count - shown.count)
  }
}
