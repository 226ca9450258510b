// One viewer for each OpenAPI document that the page names.
for (const place of document.querySelectorAll("[data-openapi]")) {
  SwaggerUIBundle({
    url: place.dataset.openapi,
    domNode: place,
    docExpansion: "list",
    defaultModelsExpandDepth: 0,
    displayRequestDuration: true,
    validatorUrl: null,
  });
}
