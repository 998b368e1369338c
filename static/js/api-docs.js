// Swagger UI over the service's own schema. Here and not in the page: its policy lets
// no script in that is not a file.

const place = document.getElementById("api-docs");

window.SwaggerUIBundle({
  url: place.dataset.schema,
  domNode: place,
  presets: [window.SwaggerUIBundle.presets.apis],
  layout: "BaseLayout",
  deepLinking: true,
  validatorUrl: null, // nobody else is told of the schema
});
