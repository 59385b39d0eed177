document.querySelector("#to").value = location.pathname;
