// The spec lies beside the page: /docs shows /openapi.json, /v1/docs shows /v1/openapi.json.
window.ui = SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#api",
  deepLinking: true,
  displayRequestDuration: true,
  filter: true,
  persistAuthorization: true,
  tryItOutEnabled: true,
  validatorUrl: null, // nothing is sent to another host
});
