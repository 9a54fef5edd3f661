import "/client.js";
