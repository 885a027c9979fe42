// Draws the document of the API. Requests can be tried that read: others need a reason and a token.
"use strict";

SwaggerUIBundle({
  url: "/openapi.json",
  domNode: document.getElementById("docs"),
  docExpansion: "list",
  defaultModelsExpandDepth: -1,
  supportedSubmitMethods: ["get"],
  validatorUrl: null,
});
